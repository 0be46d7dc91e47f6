//! Those of PHP's own functions that configurations use and that only depend on their arguments.

use super::{
    url,
    value::{Value, Why},
};

/// The result of a function, or why there is none. Functions that are not known here define nothing and change
/// nothing, since PHP has no such functions beside those that the machine knows.
pub(super) fn apply(name: &str, values: &[Value]) -> Value {
    if let Some(unknown) = values.iter().find(|value| matches!(value, Value::Unknown(_))) {
        return unknown.clone();
    }
    let text = |i: usize| values.get(i).map(Value::text).transpose();
    match text(0).and_then(|first| Ok((first, text(1)?, text(2)?))) {
        Ok((Some(first), second, third)) => of_texts(name, values, &first, second.as_deref(), third.as_deref()),
        _ => of_values(name, values),
    }
    .unwrap_or_else(|| Value::Unknown(Why::Code(format!("the function {name}()"))))
}

fn of_texts(name: &str, values: &[Value], first: &[u8], second: Option<&[u8]>, third: Option<&[u8]>) -> Option<Value> {
    let blank: &[u8] = b" \t\n\r\0\x0b";
    let listed = |byte: &u8| second.unwrap_or(blank).contains(byte);
    let from_start = || first.iter().position(|byte| !listed(byte)).unwrap_or(first.len());
    let to_end = || first.iter().rposition(|byte| !listed(byte)).map_or(0, |last| last + 1);
    // `a..b` means a range there.
    let plain = !second.is_some_and(|list| list.windows(2).any(|two| two == b".."));
    Some(match (name, second, third) {
        ("trim", ..) if plain => Value::Text(first[from_start().min(to_end())..to_end()].to_vec()),
        ("ltrim", ..) if plain => Value::Text(first[from_start()..].to_vec()),
        ("rtrim" | "chop", ..) if plain => Value::Text(first[..to_end()].to_vec()),
        ("strtolower", None, None) => Value::Text(first.to_ascii_lowercase()),
        ("strtoupper", None, None) => Value::Text(first.to_ascii_uppercase()),
        ("strlen", None, None) => Value::Int(i64::try_from(first.len()).ok()?),
        ("strval", None, None) => Value::Text(first.to_vec()),
        ("dirname", ..) => {
            let levels = values.get(1).map_or(Some(1), |levels| match levels {
                Value::Int(levels) => usize::try_from(*levels).ok(),
                _ => None,
            })?;
            Value::Text((0..levels.min(64)).fold(first.to_vec(), |path, _| directory(&path)))
        }
        ("basename", suffix, None) => {
            let path = without_slashes(first);
            let name = path.rsplit(|&b| b == b'/').next().unwrap_or_default();
            let stem = suffix
                .and_then(|suffix| name.strip_suffix(suffix))
                .filter(|stem| !stem.is_empty());
            Value::Text(stem.unwrap_or(name).to_vec())
        }
        ("substr", Some(_), _) => Value::Text(substring(first, &values[1], values.get(2))?),
        ("str_replace", Some(with), Some(within)) if !first.is_empty() => Value::Text(replaced(within, first, with)),
        ("str_starts_with", Some(part), None) => Value::Bool(first.starts_with(part)),
        ("str_ends_with", Some(part), None) => Value::Bool(first.ends_with(part)),
        ("str_contains", Some(part), None) => Value::Bool(part.is_empty() || position(first, part).is_some()),
        ("parse_url", None, None) => url::parts(first).unwrap_or(Value::Bool(false)),
        ("urldecode" | "rawurldecode", None, None) => Value::Text(url::decoded(first, name == "urldecode")),
        ("explode", Some(text), None) if !first.is_empty() => {
            let mut list = Value::List(Vec::new());
            let mut rest = text;
            while let Some(at) = position(rest, first) {
                list.put(None, Value::Text(rest[..at].to_vec()));
                rest = &rest[at + first.len()..];
            }
            list.put(None, Value::Text(rest.to_vec()));
            list
        }
        ("is_string", None, None) => Value::Bool(matches!(values[0], Value::Text(_))),
        ("is_null", None, None) => Value::Bool(values[0] == Value::Null),
        _ => return None,
    })
}

fn of_values(name: &str, values: &[Value]) -> Option<Value> {
    match (name, values) {
        ("in_array", [needle, Value::List(list), strict @ ..]) => {
            let strict = strict.first().is_some_and(|strict| strict.truth() == Ok(true));
            let found = list.iter().map(|(_, value)| match strict {
                true => needle.is(value),
                false => needle.equals(value),
            });
            let mut all = Value::Bool(false);
            for one in found {
                match one {
                    Value::Bool(false) => {}
                    other => {
                        all = other;
                        break;
                    }
                }
            }
            Some(all)
        }
        ("array_key_exists", [key, list @ Value::List(items)]) => Some(Value::Bool(
            list.at(key) != Value::Null || items.iter().any(|(name, _)| name == key),
        )),
        ("is_array", [value]) => Some(Value::Bool(matches!(value, Value::List(_)))),
        ("is_string", [_]) | ("is_null", [_]) => Some(Value::Bool(false)),
        _ => None,
    }
}

fn without_slashes(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|&b| b != b'/').map_or(0, |last| last + 1);
    &path[..end]
}

/// `dirname`
fn directory(path: &[u8]) -> Vec<u8> {
    let inner = without_slashes(path);
    if inner.is_empty() {
        return if path.is_empty() { Vec::new() } else { b"/".to_vec() };
    }
    match inner.iter().rposition(|&b| b == b'/') {
        None => b".".to_vec(),
        Some(slash) => match without_slashes(&inner[..slash]) {
            b"" => b"/".to_vec(),
            parent => parent.to_vec(),
        },
    }
}

fn substring(text: &[u8], from: &Value, length: Option<&Value>) -> Option<Vec<u8>> {
    let whole = |value: &Value| match value {
        Value::Int(number) => Some(*number),
        _ => None,
    };
    let size = i64::try_from(text.len()).ok()?;
    let place = |at: i64| if at < 0 { (size + at).max(0) } else { at.min(size) };
    let begin = place(whole(from)?);
    let end = match length {
        None | Some(Value::Null) => size,
        Some(length) => match whole(length)? {
            length if length < 0 => size + length,
            length => begin.saturating_add(length).min(size),
        },
    };
    let (begin, end) = (usize::try_from(begin).ok()?, usize::try_from(end.max(begin)).ok()?);
    text.get(begin..end).map(<[u8]>::to_vec)
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    super::token::find(text, part)
}

fn replaced(text: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    let mut rest = text;
    while let Some(at) = position(rest, what) {
        result.extend_from_slice(&rest[..at]);
        result.extend_from_slice(with);
        rest = &rest[at + what.len()..];
    }
    result.extend_from_slice(rest);
    result
}
