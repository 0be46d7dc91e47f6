//! The text form of byte paths: what pages show, the API carries and a restore takes back.
//!
//! UTF-8 stays as it is, except that a backslash becomes `\\` and control characters and bytes that
//! are not UTF-8 become `\x` and two hex digits. So every byte path has exactly one text form.

/// The text form of a byte path.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                c if c.is_control() => c.to_string().bytes().for_each(|b| push_hex(&mut text, b)),
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|&b| push_hex(&mut text, b));
    }
    text
}

fn push_hex(text: &mut String, byte: u8) {
    text.push_str(&format!("\\x{byte:02x}"));
}

/// The bytes of a text form; `None` if a backslash starts no known escape.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'\\' {
            bytes.push(first);
            rest = tail;
            continue;
        }
        match tail {
            [b'\\', tail @ ..] => {
                bytes.push(b'\\');
                rest = tail;
            }
            [b'x', high, low, tail @ ..] => {
                let digit = |b: u8| (b as char).to_digit(16);
                bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
                rest = tail;
            }
            _ => return None,
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_survives_the_round_trip() {
        for bytes in [
            &b"plain/na me"[..],
            b"new\nline",
            b"back\\slash",
            b"\xff\xfe",
            "ünï\u{85}".as_bytes(),
            b"\\x41",
        ] {
            assert_eq!(unescape(&escape(bytes)).as_deref(), Some(bytes), "{}", escape(bytes));
        }
    }

    #[test]
    fn broken_escapes_are_refused() {
        for bad in ["\\", "\\q", "\\x1", "\\xzz"] {
            assert_eq!(unescape(bad), None, "{bad}");
        }
    }
}
