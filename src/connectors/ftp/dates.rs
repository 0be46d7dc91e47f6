//! The dates of listings and of `MDTM`.

use chrono::{DateTime, Datelike, Duration, NaiveDate, Utc};

use super::listed::number;
use crate::domain::entry::Mtime;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// `20261122103000` or `20261122103000.25`, in UTC: what `MDTM` and `MLSD` say.
pub fn exact(text: &[u8]) -> Option<Mtime> {
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, &b""[..]),
    };
    if whole.len() != 14 {
        return None;
    }
    let mut time = at(
        date(number(&whole[..4])?, number(&whole[4..6])?, number(&whole[6..8])?)?,
        (number(&whole[8..10])?, number(&whole[10..12])?),
        number(&whole[12..])?,
    )?;
    if !fraction.is_empty() {
        let digits: Vec<u8> = fraction
            .iter()
            .copied()
            .chain(std::iter::repeat(b'0'))
            .take(9)
            .collect();
        time.nanos = number(&digits)?;
    }
    Some(time)
}

/// The number of a month by its English name, from 1.
pub fn month(name: &[u8]) -> Option<u32> {
    let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
    MONTHS
        .iter()
        .zip(1..)
        .find(|(month, _)| **month == name)
        .map(|(_, at)| at)
}

/// `10:30`
pub fn clock(text: &[u8]) -> Option<(u32, u32)> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    Some((number(&text[..colon])?, number(&text[colon + 1..])?))
}

/// A calendar day, between the years 1900 and 9999.
pub fn date(year: i32, month: u32, day: u32) -> Option<NaiveDate> {
    let plausible = (1900..10_000).contains(&year);
    plausible.then(|| NaiveDate::from_ymd_opt(year, month, day)).flatten()
}

/// A time of a day, taken as UTC.
pub fn at(day: NaiveDate, (hour, minute): (u32, u32), second: u32) -> Option<Mtime> {
    // A leap second is the last one of its minute.
    let time = day.and_hms_opt(hour, minute, second.min(59))?.and_utc();
    Some(Mtime {
        seconds: time.timestamp(),
        nanos: 0,
    })
}

/// A day of which the year is left out because it is recent: the last such day that is not in the future. A
/// day of grace is for zones ahead of ours.
pub fn recent(month: u32, day: u32, now: DateTime<Utc>) -> Option<NaiveDate> {
    let latest = (now + Duration::days(1)).date_naive();
    // 29 February may be some years back.
    (0..8).find_map(|back| date(latest.year() - back, month, day).filter(|date| *date <= latest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp()
    }

    #[test]
    fn exact_times() {
        let time = exact(b"20261122103005").unwrap();
        assert_eq!((time.seconds, time.nanos), (seconds("2026-11-22T10:30:05Z"), 0));
        assert_eq!(exact(b"20261122103005.25").unwrap().nanos, 250_000_000);
        assert_eq!(
            exact(b"20161231235960").unwrap().seconds,
            seconds("2016-12-31T23:59:59Z")
        );
        for text in [
            "",
            "2026112210300",
            "20261322103005",
            "2026112210300x",
            "20261122103005.x",
            "-0261122103005",
        ] {
            assert_eq!(exact(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_missing_year_is_the_last_that_fits() {
        let now = DateTime::parse_from_rfc3339("2026-01-02T03:04:05Z").unwrap().to_utc();
        assert_eq!(recent(1, 2, now), date(2026, 1, 2));
        assert_eq!(recent(1, 3, now), date(2026, 1, 3));
        assert_eq!(recent(1, 4, now), date(2025, 1, 4));
        assert_eq!(recent(2, 29, now), date(2024, 2, 29));
        assert_eq!(recent(2, 30, now), None);
    }
}
