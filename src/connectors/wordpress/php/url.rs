//! `parse_url`, for `DATABASE_URL`.

use super::value::Value;

/// The parts of a URL that has a scheme and a host, as PHP names them. `None` for anything else.
pub(super) fn parts(url: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(url).ok()?;
    let (scheme, rest) = text.split_once("://")?;
    let scheme_like = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if scheme.is_empty() || !scheme.chars().all(scheme_like) {
        return None;
    }
    let (rest, fragment) = cut(rest, "#");
    let (rest, query) = cut(rest, "?");
    let (authority, path) = match rest.find('/') {
        Some(slash) => (&rest[..slash], Some(&rest[slash..])),
        None => (rest, None),
    };
    let (login, place) = match authority.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, authority),
    };
    let (user, password) = login.map_or((None, None), |login| {
        let (user, password) = cut(login, ":");
        (Some(user), password)
    });
    let bracketed = place.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match place[bracketed..].rfind(':') {
        Some(colon) => (&place[..bracketed + colon], Some(&place[bracketed + colon + 1..])),
        None => (place, None),
    };
    if host.is_empty() {
        return None;
    }
    let port = match port.filter(|port| !port.is_empty()) {
        Some(port) => Some(Value::Int(i64::from(port.parse::<u16>().ok()?))),
        None => None,
    };
    let text = |value: Option<&str>| value.map(Value::from);
    let all = [
        ("scheme", text(Some(scheme))),
        ("host", text(Some(host))),
        ("port", port),
        ("user", text(user)),
        ("pass", text(password)),
        ("path", text(path)),
        ("query", text(query)),
        ("fragment", text(fragment)),
    ];
    let set = all
        .into_iter()
        .filter_map(|(name, value)| Some((Value::from(name), value?)));
    Some(Value::List(set.collect()))
}

fn cut<'a>(text: &'a str, at: &str) -> (&'a str, Option<&'a str>) {
    text.split_once(at)
        .map_or((text, None), |(one, other)| (one, Some(other)))
}

/// With `%41` undone, and of `urldecode` the plus for a blank.
pub(super) fn decoded(text: &[u8], plus: bool) -> Vec<u8> {
    let mut result = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|_| byte == b'%');
        let hex = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        rest = match hex {
            Some(value) => {
                result.push(value);
                &tail[2..]
            }
            None => {
                result.push(if plus && byte == b'+' { b' ' } else { byte });
                tail
            }
        };
    }
    result
}
