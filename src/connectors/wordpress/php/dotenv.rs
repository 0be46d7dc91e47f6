//! `.env` files, by the rules of phpdotenv.

use std::collections::BTreeMap;

/// Reads a file's values on top of those that are there; a later line replaces an earlier one.
///
/// # Errors
/// The number of a line, counted from 1, that is none.
pub fn read(content: &[u8], values: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> Result<(), usize> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let mut rest = content;
    let mut line = 1;
    while !rest.is_empty() {
        let blank = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        line += breaks(&rest[..blank]);
        rest = &rest[blank..];
        if rest.is_empty() {
            break;
        }
        let used = if rest[0] == b'#' {
            to_line_end(rest)
        } else {
            entry(rest, values).ok_or(line)?
        };
        line += breaks(&rest[..used]);
        rest = &rest[used..];
    }
    Ok(())
}

fn breaks(text: &[u8]) -> usize {
    text.iter().filter(|&&b| b == b'\n').count()
}

fn to_line_end(text: &[u8]) -> usize {
    text.iter().position(|&b| b == b'\n').unwrap_or(text.len())
}

/// One `NAME=value`; gives its length.
fn entry(text: &[u8], values: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> Option<usize> {
    let end = to_line_end(text);
    let Some(equals) = text[..end].iter().position(|&b| b == b'=') else {
        // A name without a value sets nothing.
        return name(&text[..end]).map(|_| end);
    };
    let name = name(&text[..equals])?;
    let after = &text[equals + 1..];
    let gap = after.iter().take_while(|&&b| b == b' ' || b == b'\t').count();
    let (value, used) = match after.get(gap) {
        Some(&quote @ (b'"' | b'\'')) => quoted(&after[gap..], quote, values)?,
        _ => bare(&after[gap..], values)?,
    };
    values.insert(name, value);
    Some(equals + 1 + gap + used)
}

fn name(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    let text = match text.strip_prefix(b"export") {
        Some(rest) if rest.first().is_some_and(u8::is_ascii_whitespace) => rest.trim_ascii(),
        _ => text,
    };
    let quoted = |quote: &[u8]| text.strip_prefix(quote)?.strip_suffix(quote);
    let text = quoted(b"'").or_else(|| quoted(b"\"")).unwrap_or(text);
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
    (!text.is_empty() && text.iter().all(plain)).then(|| text.to_vec())
}

/// A value in quotes, which may have several lines. After it only a comment may come.
fn quoted(text: &[u8], quote: u8, values: &BTreeMap<Vec<u8>, Vec<u8>>) -> Option<(Vec<u8>, usize)> {
    let double = quote == b'"';
    let mut value = Vec::new();
    let mut at = 1;
    loop {
        let rest = text.get(at..)?;
        match *rest.first()? {
            b if b == quote => break,
            b'\\' if double => {
                value.push(match rest.get(1)? {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'f' => 0x0c,
                    b'v' => 0x0b,
                    &plain @ (b'"' | b'\\' | b'$' | b'\'') => plain,
                    _ => return None,
                });
                at += 2;
            }
            b'\\' if matches!(rest.get(1), Some(b'\'' | b'\\')) => {
                value.push(rest[1]);
                at += 2;
            }
            b'$' if double => at += reference(rest, values, &mut value),
            byte => {
                value.push(byte);
                at += 1;
            }
        }
    }
    at += 1;
    let end = at + to_line_end(&text[at..]);
    let after = text[at..end].trim_ascii();
    (after.is_empty() || after.starts_with(b"#")).then_some((value, end))
}

/// A value without quotes: up to a blank, after which only a comment may come.
fn bare(text: &[u8], values: &BTreeMap<Vec<u8>, Vec<u8>>) -> Option<(Vec<u8>, usize)> {
    let end = to_line_end(text);
    let mut value = Vec::new();
    let mut at = 0;
    while at < end {
        match text[at] {
            b' ' | b'\t' | b'\r' => {
                let after = text[at..end].trim_ascii();
                return (after.is_empty() || after.starts_with(b"#")).then_some((value, end));
            }
            b'#' => return Some((value, end)),
            b'$' => at += reference(&text[at..end], values, &mut value),
            byte => {
                value.push(byte);
                at += 1;
            }
        }
    }
    Some((value, end))
}

/// `${NAME}` is what NAME was set to before; what was not set stays as it is written.
fn reference(text: &[u8], values: &BTreeMap<Vec<u8>, Vec<u8>>, value: &mut Vec<u8>) -> usize {
    let name = text.strip_prefix(b"${").and_then(|rest| {
        let end = rest.iter().position(|&b| b == b'}')?;
        Some((values.get(&rest[..end])?, end))
    });
    match name {
        Some((found, end)) => {
            value.extend_from_slice(found);
            end + 3
        }
        None => {
            value.push(b'$');
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Option<String> {
        let mut values = BTreeMap::new();
        read(format!("B=base\n{line}\n").as_bytes(), &mut values).ok()?;
        values
            .get(b"X".as_slice())
            .map(|text| String::from_utf8(text.clone()).unwrap())
    }

    #[test]
    fn values_are_read_as_phpdotenv_reads_them() {
        for (line, value) in [
            ("X=plain", Some("plain")),
            ("export X = plain # comment", Some("plain")),
            ("X=p#w", Some("p")),
            ("X='p#w $B \\' \"'", Some("p#w $B ' \"")),
            (r#"X="a\"b\\c\$d\n" # c"#, Some("a\"b\\c$d\n")),
            ("X=\"two\nlines\"", Some("two\nlines")),
            ("X=${B}/${NOT}", Some("base/${NOT}")),
            ("X=\"${B}!\"", Some("base!")),
            ("X=", Some("")),
            ("X", None),
            ("# X=1", None),
            ("X=two words", None),
            ("X=\"open", None),
        ] {
            assert_eq!(one(line).as_deref(), value, "{line}");
        }
        assert_eq!(read(b"A=1\n\n# c\nB=two words\n", &mut BTreeMap::new()), Err(4));
    }
}
