//! Numbers as tar writes them: octal text, base-256, and pax decimals with a fraction.

use super::TarError;
use crate::domain::entry::Mtime;

/// A header field: octal text, or base-256 when its first bit is set. An empty field is 0.
pub fn field(bytes: &[u8], name: &'static str) -> Result<i64, TarError> {
    match bytes.first() {
        Some(first) if first & 0x80 != 0 => Ok(base256(bytes)),
        _ => octal(bytes).ok_or_else(|| TarError::damaged(format!("the {name} field holds no number"))),
    }
}

fn octal(bytes: &[u8]) -> Option<i64> {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    let digits = bytes[..end].trim_ascii();
    digits.iter().try_fold(0i64, |value, &digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

/// Big-endian two's complement whose topmost bit is only the marker. What does not fit becomes the
/// largest or smallest number, which no limit lets through.
fn base256(bytes: &[u8]) -> i64 {
    let Some((&first, rest)) = bytes.split_first() else {
        return 0;
    };
    let begin = match first & 0x40 {
        0 => i64::from(first & 0x3f),
        _ => i64::from(first) - 0x100,
    };
    rest.iter().fold(begin, |value, &byte| match value.checked_mul(256) {
        Some(shifted) => shifted.saturating_add(i64::from(byte)),
        None if value < 0 => i64::MIN,
        None => i64::MAX,
    })
}

/// An unsigned decimal, as in pax records.
pub fn decimal(bytes: &[u8]) -> Option<u64> {
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(bytes).ok()?.parse().ok()).flatten()
}

/// A signed decimal, as some tars write owners (`-2`).
pub fn signed(bytes: &[u8]) -> Option<i64> {
    match bytes.strip_prefix(b"-") {
        Some(rest) => Some(-i64::try_from(decimal(rest)?).ok()?),
        None => i64::try_from(decimal(bytes)?).ok(),
    }
}

/// A pax time: seconds since 1970 with an optional fraction, negative before.
pub fn time(bytes: &[u8]) -> Option<Mtime> {
    let (negative, digits) = match bytes.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, bytes),
    };
    let dot = digits.iter().position(|&b| b == b'.').unwrap_or(digits.len());
    let whole = i64::try_from(decimal(&digits[..dot])?).ok()?;
    let fraction = digits.get(dot + 1..).unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nanos = (0..9).fold(0u32, |nanos, i| {
        nanos * 10 + u32::from(fraction.get(i).map_or(0, |digit| digit - b'0'))
    });
    Some(match (negative, nanos) {
        (false, nanos) => Mtime { seconds: whole, nanos },
        (true, 0) => Mtime {
            seconds: -whole,
            nanos: 0,
        },
        (true, nanos) => Mtime {
            seconds: -whole - 1,
            nanos: 1_000_000_000 - nanos,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_fields() {
        assert_eq!(field(b"0000644\0", "mode"), Ok(0o644));
        assert_eq!(field(b"    644 ", "mode"), Ok(0o644));
        assert_eq!(field(b"\0\0\0\0", "mode"), Ok(0));
        assert_eq!(field(b"77777777777\0", "size"), Ok(0o77777777777));
        assert_eq!(field(b"\x80\0\0\0\0\0\0\x02\0\0\0\0", "size"), Ok(8 << 30));
        assert_eq!(
            field(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", "mtime"),
            Ok(-2)
        );
        assert!(field(b"12x4", "size").is_err());
        let two_to_the_63 = b"\x80\0\0\0\x80\0\0\0\0\0\0\0";
        assert_eq!(field(two_to_the_63, "size"), Ok(i64::MAX));
    }

    #[test]
    fn pax_times() {
        let at = |seconds, nanos| Some(Mtime { seconds, nanos });
        assert_eq!(time(b"12.5"), at(12, 500_000_000));
        assert_eq!(time(b"12.1234567899"), at(12, 123_456_789));
        assert_eq!(time(b"-1.25"), at(-2, 750_000_000));
        assert_eq!(time(b"-3"), at(-3, 0));
        assert_eq!(time(b"7."), at(7, 0));
        for bad in [&b""[..], b".", b"1.x", b"--1", b"99999999999999999999"] {
            assert_eq!(time(bad), None);
        }
    }
}
