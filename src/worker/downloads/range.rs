//! The `Range` header, as far as a download manager needs it: one range of bytes.

/// Which bytes to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    Everything,
    /// From the first up to and including the last, both within the file.
    Part {
        /// First byte.
        first: u64,
        /// Last byte.
        last: u64,
    },
    /// None of what was asked for exists.
    Unsatisfiable,
}

/// Reads a `Range` header for a file of `total` bytes. What is not understood, several ranges among
/// them, is ignored as RFC 9110 allows: the whole file is a right answer then.
pub fn wanted(header: Option<&str>, total: u64) -> Wanted {
    let Some((unit, spec)) = header.and_then(|text| text.split_once('=')) else {
        return Wanted::Everything;
    };
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Wanted::Everything;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Everything;
    }
    match (number(first), number(last)) {
        (Some(Some(first)), Some(last)) => {
            let end = last.unwrap_or(u64::MAX).min(total.saturating_sub(1));
            match (first < total, last.is_some_and(|last| last < first)) {
                (_, true) => Wanted::Everything,
                (false, _) => Wanted::Unsatisfiable,
                (true, false) => Wanted::Part { first, last: end },
            }
        }
        (Some(None), Some(Some(suffix))) => match suffix.min(total) {
            0 => Wanted::Unsatisfiable,
            length => Wanted::Part {
                first: total - length,
                last: total - 1,
            },
        },
        _ => Wanted::Everything,
    }
}

/// `Some(None)` for nothing, `None` for something that is no number.
fn number(text: &str) -> Option<Option<u64>> {
    match text.trim() {
        "" => Some(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => Some(Some(digits.parse().unwrap_or(u64::MAX))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_clients_send_them() {
        let part = |first, last| Wanted::Part { first, last };
        for (header, expected) in [
            (None, Wanted::Everything),
            (Some("bytes=0-"), part(0, 99)),
            (Some("bytes=10-"), part(10, 99)),
            (Some("bytes=10-19"), part(10, 19)),
            (Some("bytes=10-1000"), part(10, 99)),
            (Some("bytes=-5"), part(95, 99)),
            (Some("bytes=-500"), part(0, 99)),
            (Some("bytes=100-"), Wanted::Unsatisfiable),
            (Some("bytes=99999999999999999999-"), Wanted::Unsatisfiable),
            (Some("bytes=-0"), Wanted::Unsatisfiable),
            (Some("bytes=5-4"), Wanted::Everything),
            (Some("bytes=0-1,5-6"), Wanted::Everything),
            (Some("bytes=a-b"), Wanted::Everything),
            (Some("lines=1-2"), Wanted::Everything),
            (Some("nonsense"), Wanted::Everything),
        ] {
            assert_eq!(wanted(header, 100), expected, "{header:?}");
        }
    }
}
