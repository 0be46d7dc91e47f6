//! Lines of `LIST` as IIS prints them: `11-22-26  10:30AM       <DIR>          name`.

use super::{
    dates,
    listed::{Facts, Kind, Listed, Senseless, checked_name, number},
};
use crate::domain::entry::Mtime;

/// Blanks between `<DIR>` and the name: it stands where names of files stand.
const BEHIND_DIR: usize = 10;

/// Reads one line.
pub fn parse(line: &[u8]) -> Result<Listed, Senseless> {
    let (day, rest) = word(line);
    let (clock, rest) = word(rest);
    let (what, rest) = word(rest);
    let mut facts = match what {
        b"<DIR>" => Facts::of(Kind::Directory),
        b"<JUNCTION>" | b"<SYMLINK>" | b"<SYMLINKD>" => Facts::of(Kind::Symlink(None)),
        size => Facts {
            size: Some(number(size).ok_or(Senseless)?),
            ..Facts::of(Kind::File)
        },
    };
    facts.mtime = Some(time(day, clock).ok_or(Senseless)?);
    let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
    let skipped = match facts.kind {
        Kind::File => 1,
        _ => blanks.min(BEHIND_DIR),
    };
    if blanks == 0 {
        return Err(Senseless);
    }
    let name = checked_name(&rest[skipped..])?;
    if matches!(name.as_slice(), b"." | b"..") {
        facts.kind = Kind::Dots;
    }
    Ok(Listed { name, facts })
}

/// `11-22-26` or `11-22-2026`, and `10:30AM` or `22:30`.
fn time(day: &[u8], clock: &[u8]) -> Option<Mtime> {
    let mut parts = day.split(|byte| *byte == b'-');
    let (month, date, year) = (number(parts.next()?)?, number(parts.next()?)?, parts.next()?);
    let year = match (year.len(), number::<i32>(year)?) {
        (4, year) => year,
        (2, year @ 70..) => 1900 + year,
        (2, year) => 2000 + year,
        _ => return None,
    };
    let half = clock.len().checked_sub(2).map(|at| clock.split_at(at));
    let (hour, minute) = match half {
        Some((clock, b"AM")) => dates::clock(clock).map(|(hour, minute)| (hour % 12, minute))?,
        Some((clock, b"PM")) => dates::clock(clock).map(|(hour, minute)| (hour % 12 + 12, minute))?,
        _ => dates::clock(clock)?,
    };
    dates::at(dates::date(year, month, date)?, (hour, minute), 0)
}

/// The next word and what follows it.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let start = line.iter().take_while(|byte| **byte == b' ').count();
    let length = line[start..].iter().take_while(|byte| **byte != b' ').count();
    line[start..].split_at(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_iis() {
        let listed = parse(b"11-22-26  12:30AM       <DIR>           blank in front").unwrap();
        assert_eq!(
            (listed.name.as_slice(), listed.facts.kind),
            (&b" blank in front"[..], Kind::Directory)
        );
        let listed = parse(b"11-22-1998  01:30PM                 4711 a  b.txt").unwrap();
        assert_eq!(
            (listed.name.as_slice(), listed.facts.size),
            (&b"a  b.txt"[..], Some(4711))
        );
        assert_eq!(listed.facts.mtime.unwrap().seconds, 911_741_400);
    }

    #[test]
    fn lines_without_sense() {
        for line in [
            "",
            "11-22-26",
            "11-22-26 10:30AM",
            "11-22-26 10:30AM 12",
            "13-22-26 10:30AM 12 a",
            "11-22-26 10:30AM x a",
        ] {
            assert_eq!(parse(line.as_bytes()), Err(Senseless), "{line}");
        }
    }
}
