//! Lines of `LIST` as `ls -l` prints them. The columns in front vary; what is relied on is that a size, a
//! date and exactly one blank stand before the name.

use chrono::{DateTime, NaiveDate, Utc};

use super::{
    dates,
    listed::{Facts, Kind, Listed, Senseless, checked_name, number},
};

/// A word of a line and where it ends.
type Word<'a> = (&'a [u8], usize);

/// Columns that may stand before the size: mode, links, owner, group.
const MOST_BEFORE_SIZE: usize = 4;

/// Reads one line. Years are relative to `now` where they are left out.
pub fn parse(line: &[u8], now: DateTime<Utc>) -> Result<Listed, Senseless> {
    let kind = match line.first() {
        Some(b'-') => Kind::File,
        Some(b'd') => Kind::Directory,
        Some(b'l') => Kind::Symlink(None),
        Some(b'b' | b'c' | b'p' | b's') => Kind::Special,
        _ => return Err(Senseless),
    };
    // Blanks in owner and group are not for a server that wants to be understood; in the name they are.
    let words = words(line, MOST_BEFORE_SIZE + 5);
    let mut facts = Facts::of(kind);
    facts.mode = Some(mode(words.first().ok_or(Senseless)?.0)?);
    let end_of_date = (1..=MOST_BEFORE_SIZE).find_map(|at| {
        let size = number::<u64>(words.get(at)?.0)?;
        let (mtime, end) = date(&words[at + 1..], now)?;
        facts.size = Some(size);
        facts.mtime = Some(mtime);
        Some((at, end))
    });
    let (size_at, end) = end_of_date.ok_or(Senseless)?;
    if let [owner, group] = words.get(2..size_at).unwrap_or_default() {
        (facts.uid, facts.gid) = (number(owner.0), number(group.0));
    }
    let name = line
        .get(end..)
        .and_then(|rest| rest.strip_prefix(b" "))
        .ok_or(Senseless)?;
    named(name, facts)
}

/// Splits the target off a link's name.
fn named(name: &[u8], mut facts: Facts) -> Result<Listed, Senseless> {
    let mut name = name;
    if matches!(facts.kind, Kind::Symlink(_)) {
        let arrow = name.windows(4).position(|part| part == b" -> ").ok_or(Senseless)?;
        facts.kind = Kind::Symlink(Some(name[arrow + 4..].to_vec()));
        name = &name[..arrow];
    }
    if matches!(name, b"." | b"..") {
        facts.kind = Kind::Dots;
    }
    let name = checked_name(name)?;
    Ok(Listed { name, facts })
}

/// `Nov 22 10:30`, `Nov 22  2025` or `2026-11-22 10:30`: the time and where it ends.
fn date(words: &[Word<'_>], now: DateTime<Utc>) -> Option<(crate::domain::entry::Mtime, usize)> {
    let (first, second) = (words.first()?, words.get(1)?);
    if let Some(day) = iso(first.0) {
        return Some((dates::at(day, dates::clock(second.0)?, 0)?, second.1));
    }
    let (month, day, third) = (dates::month(first.0)?, number(second.0)?, words.get(2)?);
    let time = match dates::clock(third.0) {
        Some(clock) => dates::at(dates::recent(month, day, now)?, clock, 0)?,
        None => dates::at(dates::date(number(third.0)?, month, day)?, (0, 0), 0)?,
    };
    Some((time, third.1))
}

fn iso(text: &[u8]) -> Option<NaiveDate> {
    let mut parts = text.split(|byte| *byte == b'-');
    let (year, month, day) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    dates::date(year, month, day)
}

/// The first words of a line and where each ends.
fn words(line: &[u8], most: usize) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut at = 0;
    while words.len() < most {
        at += line[at..].iter().take_while(|byte| **byte == b' ').count();
        let length = line[at..].iter().take_while(|byte| **byte != b' ').count();
        if length == 0 {
            break;
        }
        words.push((&line[at..at + length], at + length));
        at += length;
    }
    words
}

/// `drwxr-sr-t`, perhaps with a sign for ACLs behind it.
fn mode(text: &[u8]) -> Result<u32, Senseless> {
    let bits = text.get(1..10).ok_or(Senseless)?;
    let mut mode = 0;
    for (at, letter) in bits.iter().enumerate() {
        let bit = 0o400 >> at;
        let special = 0o4000 >> (at / 3);
        mode |= match (at % 3, letter) {
            (_, b'-') => 0,
            (0, b'r') | (1, b'w') | (2, b'x') => bit,
            (2, b's' | b't') => bit | special,
            (2, b'S' | b'T') => special,
            _ => return Err(Senseless),
        };
    }
    Ok(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Listed, Senseless> {
        let now = DateTime::parse_from_rfc3339("2026-11-22T10:30:00Z").unwrap().to_utc();
        parse(line.as_bytes(), now)
    }

    #[test]
    fn lines_of_vsftpd_and_proftpd() {
        let listed = parsed("-rw-r-x--T    1 1000     33         12345 Nov 22 09:05   two  blanks ").unwrap();
        assert_eq!(listed.name, b"  two  blanks ");
        let facts = listed.facts;
        assert_eq!((facts.size, facts.mode), (Some(12345), Some(0o1650)));
        assert_eq!((facts.uid, facts.gid), (Some(1000), Some(33)));
        let time = DateTime::from_timestamp(facts.mtime.unwrap().seconds, 0).unwrap();
        assert_eq!(time.to_rfc3339(), "2026-11-22T09:05:00+00:00");
        let listed = parsed("drwxr-sr-x   2 ftp      ftp          4096 Dec 24  2024 Nov 22 09:05 x").unwrap();
        assert_eq!(
            (listed.name.as_slice(), listed.facts.kind),
            (&b"Nov 22 09:05 x"[..], Kind::Directory)
        );
        let listed = parsed("lrwxrwxrwx   1 ftp      ftp             7 Nov 22 09:05 now -> v5 -> x").unwrap();
        assert_eq!(listed.name, b"now");
        assert_eq!(listed.facts.kind, Kind::Symlink(Some(b"v5 -> x".to_vec())));
    }

    #[test]
    fn columns_that_are_missing_or_more() {
        assert_eq!(parsed("-rw-r--r--+ 1 owner 7 Jan  1  2020 a").unwrap().name, b"a");
        assert_eq!(parsed("-rw-r--r--  1 u g 7 2020-01-01 10:00 a b").unwrap().name, b"a b");
        assert_eq!(
            parsed("drwxrwxr-x 2 u g 0 Jan 1 2020 .").unwrap().facts.kind,
            Kind::Dots
        );
    }

    #[test]
    fn lines_without_sense() {
        for line in [
            "",
            "total 12",
            "hello world",
            "-rw-r--r--",
            "-rw-r--r-- 1 u g 7 Jan 1 2020",
            "-rw-r--r-- 1 u g 7 Jan 1 2020 ",
            "-rw-r--r-- 1 u g 7 Jan 1 2020 ../../etc/passwd",
            "-rw-r--r-- 1 u g seven Jan 1 2020 a",
            "-rw-r--r-- 1 u g 7 Jan 32 2020 a",
            "-rwzr--r-- 1 u g 7 Jan 1 2020 a",
            "-rw-r--r-- 1 u g 99999999999999999999999 Jan 1 2020 a",
            "lrwxrwxrwx 1 u g 7 Jan 1 2020 a",
        ] {
            assert_eq!(parsed(line), Err(Senseless), "{line}");
        }
    }
}
