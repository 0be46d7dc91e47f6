//! What stands in a string: escapes undone, variables in it set apart.

use super::token::{Nonsense, Placed, Token, begins_name, continues_name, find, tokens_within};

/// A part of a string.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// These bytes.
    Literal(Vec<u8>),
    /// The value of an expression.
    Code(Vec<Placed>),
}

/// A heredoc or nowdoc.
pub(super) struct Heredoc {
    pub(super) body: Vec<u8>,
    /// True for a nowdoc: nothing in it is looked into.
    pub(super) literal: bool,
    /// From `<<<` to the end of the closing name, in bytes.
    pub(super) length: usize,
}

/// The text between single quotes: only `\\` and `\'` are escapes.
pub(super) fn single_quoted(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len());
    let mut bytes = body.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            (b'\\', Some(&escaped @ (b'\\' | b'\''))) => {
                bytes.next();
                text.push(escaped);
            }
            _ => text.push(byte),
        }
    }
    text
}

/// The parts of a text with variables in it. `quote` is the one that a backslash protects.
pub(super) fn interpolated(body: &[u8], quote: Option<u8>, line: usize) -> Result<Vec<Part>, Nonsense> {
    let mut parts = Vec::new();
    let mut text = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let rest = &body[at..];
        match rest[0] {
            b'\\' => at += escape(rest, quote, &mut text),
            b'{' if rest.get(1) == Some(&b'$') => {
                let end = closing(rest).ok_or(Nonsense {
                    line,
                    what: "has a string that cannot be read",
                })?;
                flush(&mut parts, &mut text);
                parts.push(Part::Code(tokens_within(&rest[1..end], line)?));
                at += end + 1;
            }
            b'$' if rest.get(1) == Some(&b'{') => {
                return Err(Nonsense {
                    line,
                    what: "has a variable in a string in a form that is not understood",
                });
            }
            b'$' if rest.get(1).is_some_and(|&b| begins_name(b)) => {
                flush(&mut parts, &mut text);
                let (code, length) = simple(rest, line)?;
                parts.push(Part::Code(code));
                at += length;
            }
            byte => {
                text.push(byte);
                at += 1;
            }
        }
    }
    flush(&mut parts, &mut text);
    Ok(parts)
}

fn flush(parts: &mut Vec<Part>, text: &mut Vec<u8>) {
    if !text.is_empty() {
        parts.push(Part::Literal(std::mem::take(text)));
    }
}

/// Undoes the escape that `rest` begins with; gives its length.
fn escape(rest: &[u8], quote: Option<u8>, text: &mut Vec<u8>) -> usize {
    let Some(&next) = rest.get(1) else {
        text.push(b'\\');
        return 1;
    };
    let plain = match next {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'v' => 0x0b,
        b'e' => 0x1b,
        b'f' => 0x0c,
        b'\\' | b'$' => next,
        next if Some(next) == quote => next,
        b'0'..=b'7' => {
            let digits = rest[1..].iter().take(3).take_while(|b| matches!(b, b'0'..=b'7'));
            let (value, count) = digits.fold((0_u32, 0), |(value, count), b| {
                (value * 8 + u32::from(b - b'0'), count + 1)
            });
            text.push((value & 0xff) as u8);
            return 1 + count;
        }
        b'x' => {
            let digits = rest[2..].iter().take(2).take_while(|b| b.is_ascii_hexdigit()).count();
            return match hex(&rest[2..2 + digits]) {
                Some(value) => {
                    text.push((value & 0xff) as u8);
                    2 + digits
                }
                None => as_it_is(text, next),
            };
        }
        b'u' => {
            let end = rest
                .iter()
                .position(|&b| b == b'}')
                .filter(|_| rest.get(2) == Some(&b'{'));
            let code = end.and_then(|end| Some((hex(rest.get(3..end)?)?, end)));
            return match code.and_then(|(code, end)| Some((char::from_u32(code)?, end))) {
                Some((c, end)) => {
                    text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    end + 1
                }
                None => as_it_is(text, next),
            };
        }
        _ => return as_it_is(text, next),
    };
    text.push(plain);
    2
}

/// What is no escape keeps its backslash.
fn as_it_is(text: &mut Vec<u8>, next: u8) -> usize {
    text.extend_from_slice(&[b'\\', next]);
    2
}

fn hex(digits: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Where the brace that `rest` begins with is closed.
fn closing(rest: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    for (i, &byte) in rest.iter().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') => {
                depth -= 1;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

/// `$name`, `$name[key]` or `$name->property` at the beginning of `rest`, as code; and its length.
fn simple(rest: &[u8], line: usize) -> Result<(Vec<Placed>, usize), Nonsense> {
    let name_end = |from: usize| {
        let end = rest[from..].iter().position(|&b| !continues_name(b));
        end.map_or(rest.len(), |end| from + end)
    };
    let placed = |token| Placed { token, line };
    let end = name_end(1);
    let mut code = tokens_within(&rest[..end], line)?;
    if rest[end..].starts_with(b"->") && rest.get(end + 2).is_some_and(|&b| begins_name(b)) {
        let end = name_end(end + 2);
        return Ok((tokens_within(&rest[..end], line)?, end));
    }
    if rest.get(end) == Some(&b'[') {
        let close = rest[end..].iter().position(|&b| b == b']');
        let close = end
            + close.ok_or(Nonsense {
                line,
                what: "has a string that cannot be read",
            })?;
        let key = &rest[end + 1..close];
        code.push(placed(Token::Sign("[")));
        // A key without quotes is a text here, not a constant.
        match key.first() {
            Some(b) if begins_name(*b) => code.push(placed(Token::Text(vec![Part::Literal(key.to_vec())]))),
            _ => code.extend(tokens_within(key, line)?),
        }
        code.push(placed(Token::Sign("]")));
        return Ok((code, close + 1));
    }
    Ok((code, end))
}

/// The heredoc or nowdoc that `rest` begins with. The closing name may be indented; that indent is taken off each line.
pub(super) fn heredoc(rest: &[u8]) -> Option<Heredoc> {
    let line_end = find(rest, b"\n")?;
    let head = rest[3..line_end].trim_ascii();
    let (name, literal) = match head.first()? {
        b'\'' => (head.strip_prefix(b"'")?.strip_suffix(b"'")?, true),
        b'"' => (head.strip_prefix(b"\"")?.strip_suffix(b"\"")?, false),
        _ => (head, false),
    };
    if !begins_name(*name.first()?) || !name.iter().all(|&b| continues_name(b)) {
        return None;
    }
    let mut lines = Vec::new();
    let mut at = line_end + 1;
    loop {
        let line = rest.get(at..)?;
        let end = find(line, b"\n").unwrap_or(line.len());
        let indent = line.iter().take_while(|&&b| b == b' ' || b == b'\t').count();
        let closes = line[indent..].strip_prefix(name);
        if closes.is_some_and(|after| after.first().is_none_or(|&b| !continues_name(b))) {
            let body = lines.iter().map(|line: &&[u8]| outdented(line, indent));
            let body = body.collect::<Vec<_>>().join(&b'\n');
            let length = at + indent + name.len();
            return Some(Heredoc { body, literal, length });
        }
        if end == line.len() {
            return None;
        }
        lines.push(&line[..end]);
        at += end + 1;
    }
}

fn outdented(line: &[u8], indent: usize) -> &[u8] {
    let blank = line
        .iter()
        .take(indent)
        .take_while(|&&b| b == b' ' || b == b'\t')
        .count();
    &line[blank..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(body: &str) -> Vec<u8> {
        match interpolated(body.as_bytes(), Some(b'"'), 1).unwrap().as_slice() {
            [] => Vec::new(),
            [Part::Literal(text)] => text.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn escapes_are_those_of_php() {
        assert_eq!(single_quoted(br"a\'b\\c\nd\"), br"a'b\c\nd\");
        assert_eq!(
            literal(r#"\n\t\x41\101\u{1F600}\$x \"q\" \q \'"#),
            "\n\tAA\u{1f600}$x \"q\" \\q \\'".as_bytes()
        );
        assert_eq!(literal(r"\xZ\u{}\"), br"\xZ\u{}\");
        assert_eq!(literal("a $ b {c} $1"), b"a $ b {c} $1");
    }

    #[test]
    fn variables_are_set_apart() {
        let parts = interpolated(b"a{$x['b']}c$y[k]$z->p!", None, 1).unwrap();
        let code = parts.iter().filter(|part| matches!(part, Part::Code(_))).count();
        assert_eq!((parts.len(), code), (6, 3), "{parts:?}");
        assert!(interpolated(b"${x}", None, 1).is_err());
    }

    #[test]
    fn heredocs_end_at_their_name_and_lose_its_indent() {
        let found = heredoc(b"<<<'X'\n  a\n   $b\n  X;").unwrap();
        assert_eq!(
            (found.body.as_slice(), found.literal, found.length),
            (&b"a\n $b"[..], true, 20)
        );
        assert!(heredoc(b"<<<X\nXY\n").is_none());
    }
}
