//! Sizes, counts, rates and modes for people; exact values in the `title`.

use askama::{Result, Values, filters::Safe, get_value};
use chrono::{DateTime, TimeDelta, Utc};

use super::{Deep, context::NOW};
use crate::{
    domain::job::Progress,
    hub::views::{JobView, SnapshotView, WorkerView},
};

/// `1.42 GiB`, exact bytes in the title.
#[askama::filter_fn]
pub fn size<T: Deep<u64>>(bytes: T, _: &dyn Values) -> Result<Safe<String>> {
    let bytes = *bytes.deep();
    let (human, exact) = (size_text(bytes as f64), grouped(bytes));
    Ok(Safe(format!(
        r#"<data value="{bytes}" title="{exact} bytes">{human}</data>"#
    )))
}

/// `12,345`.
#[askama::filter_fn]
pub fn count<T: Deep<u64>>(number: T, _: &dyn Values) -> Result<String> {
    Ok(grouped(*number.deep()))
}

/// `rwxr-xr-x` out of permission bits.
#[askama::filter_fn]
pub fn mode<T: Deep<u32>>(bits: T, _: &dyn Values) -> Result<String> {
    Ok(mode_text(*bits.deep()))
}

/// Attributes of a `<progress>`: none where the end is not known.
#[askama::filter_fn]
pub fn bar<T: Deep<Progress>>(progress: T, _: &dyn Values) -> Result<Safe<String>> {
    let progress = progress.deep();
    Ok(Safe(match progress.total_bytes {
        Some(total) if total > 0 => format!(r#" max="{total}" value="{}""#, progress.bytes.min(total)),
        _ => String::new(),
    }))
}

/// Mean rate of a running job so far; the live script replaces it by the current one.
#[askama::filter_fn]
pub fn average<T: Deep<JobView>>(job: T, values: &dyn Values) -> Result<String> {
    let job = job.deep();
    let now: &DateTime<Utc> = get_value(values, NOW)?;
    let elapsed = job.started_at.map_or(TimeDelta::zero(), |started| *now - started);
    let seconds = elapsed.num_milliseconds() as f64 / 1000.0;
    Ok(match seconds {
        s if s < 0.5 || job.progress.bytes == 0 => "–".to_owned(),
        s => format!("{}/s", size_text(job.progress.bytes as f64 / s)),
    })
}

/// How much smaller a snapshot is stored than it was read, in words.
#[askama::filter_fn]
pub fn ratio<T: Deep<SnapshotView>>(snapshot: T, _: &dyn Values) -> Result<String> {
    let snapshot = snapshot.deep();
    let (read, stored) = (snapshot.bytes_source, snapshot.bytes_stored);
    Ok(match stored {
        stored if read == 0 || stored >= read => String::new(),
        stored => format!("{} % of it", (stored as f64 / read as f64 * 100.0).round()),
    })
}

/// A worker's disk.
pub struct Space {
    /// All of it, in bytes.
    pub total: u64,
    /// What is left, in bytes.
    pub free: u64,
    /// What is taken, in bytes.
    pub used: u64,
    /// Above this it is nearly full, in bytes.
    pub high: u64,
    /// Taken, of a hundred.
    pub percent: u64,
}

/// A worker's disk, if it reported one.
#[askama::filter_fn]
pub fn space<T: Deep<WorkerView>>(worker: T, _: &dyn Values) -> Result<Option<Space>> {
    let storage = worker.deep().storage;
    let bytes = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
    let (Some(total @ 1..), Some(free)) = (bytes(storage.total_bytes), bytes(storage.free_bytes)) else {
        return Ok(None);
    };
    let used = total.saturating_sub(free);
    Ok(Some(Space {
        total,
        free,
        used,
        high: total / 10 * 9,
        percent: (used as f64 / total as f64 * 100.0).round() as u64,
    }))
}

/// Bytes in binary units, three significant digits.
pub fn size_text(mut bytes: f64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = 0;
    while bytes >= 1024.0 && unit + 1 < UNITS.len() {
        bytes /= 1024.0;
        unit += 1;
    }
    let digits = match bytes {
        _ if unit == 0 || bytes >= 100.0 => 0,
        _ if bytes >= 10.0 => 1,
        _ => 2,
    };
    format!("{bytes:.digits$} {}", UNITS[unit])
}

/// Digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn mode_text(bits: u32) -> String {
    let letter = |bit: u32, letter: char| if bits & bit != 0 { letter } else { '-' };
    let execute = |bit: u32, special: u32, lower: char, upper: char| match (bits & bit != 0, bits & special != 0) {
        (true, true) => lower,
        (false, true) => upper,
        (true, false) => 'x',
        (false, false) => '-',
    };
    [
        letter(0o400, 'r'),
        letter(0o200, 'w'),
        execute(0o100, 0o4000, 's', 'S'),
        letter(0o040, 'r'),
        letter(0o020, 'w'),
        execute(0o010, 0o2000, 's', 'S'),
        letter(0o004, 'r'),
        letter(0o002, 'w'),
        execute(0o001, 0o1000, 't', 'T'),
    ]
    .into_iter()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(size_text(0.0), "0 B");
        assert_eq!(size_text(1023.0), "1023 B");
        assert_eq!(size_text(1_525_000_000.0), "1.42 GiB");
        assert_eq!(size_text(u64::MAX as f64), "16.0 EiB");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn modes_look_like_ls() {
        assert_eq!(mode_text(0o755), "rwxr-xr-x");
        assert_eq!(mode_text(0o4711), "rws--x--x");
        assert_eq!(mode_text(0o1777), "rwxrwxrwt");
        assert_eq!(mode_text(0o2644), "rw-r-Sr--");
    }
}
