//! An entry as tar header blocks.

use super::{BLOCK, padding};
use crate::domain::entry::{Entry, EntryKind, Mtime};

/// First value that does not fit eleven octal digits.
const OCTAL_12: u64 = 1 << 33;
/// First value that does not fit seven octal digits.
const OCTAL_8: u64 = 1 << 21;

/// Appends the header blocks of `entry`; its data and padding come after them.
pub(crate) fn head(entry: &Entry, out: &mut Vec<u8>) {
    let mut path = entry.path.as_bytes().to_vec();
    let (kind, size, target): (u8, u64, &[u8]) = match &entry.kind {
        EntryKind::File { size } => (b'0', *size, b""),
        EntryKind::Directory => {
            path.push(b'/');
            (b'5', 0, b"")
        }
        EntryKind::Symlink { target } => (b'2', 0, target),
        EntryKind::HardLink { target } => (b'1', 0, target.as_bytes()),
    };
    let mut pax = Vec::new();
    let (prefix, name) = split(&path).unwrap_or((b"", &path));
    let fits = name.len() <= NAME.len();
    name_beyond_ustar(b"path", &path, fits, b'L', &mut pax, out);
    name_beyond_ustar(b"linkpath", target, target.len() <= LINK.len(), b'K', &mut pax, out);
    if size >= OCTAL_12 {
        record(b"size", size.to_string().as_bytes(), &mut pax);
    }
    for (key, id) in [(&b"uid"[..], entry.uid), (b"gid", entry.gid)] {
        if id >= OCTAL_8 {
            record(key, id.to_string().as_bytes(), &mut pax);
        }
    }
    let whole = u64::try_from(entry.mtime.seconds).ok().filter(|&s| s < OCTAL_12);
    if whole.is_none() || entry.mtime.nanos != 0 {
        record(b"mtime", decimal(entry.mtime).as_bytes(), &mut pax);
    }
    for (key, value) in &entry.pax {
        record(key.as_bytes(), value, &mut pax);
    }
    if !pax.is_empty() {
        extension(b"././@PaxHeader", b'x', &pax, out);
    }

    let mut block = Block::new(name, kind);
    block.octal(MODE, u64::from(entry.mode & 0o7777));
    block.octal(UID, if entry.uid < OCTAL_8 { entry.uid } else { 0 });
    block.octal(GID, if entry.gid < OCTAL_8 { entry.gid } else { 0 });
    block.octal(SIZE, if size < OCTAL_12 { size } else { 0 });
    block.octal(MTIME, whole.unwrap_or(0));
    block.text(LINK, target);
    block.text(PREFIX, prefix);
    block.append(out);
}

/// A name that ustar's fields cannot carry, or not with a defined charset, goes into pax; pax text
/// is UTF-8 by definition, so other bytes use GNU's long names, which are raw everywhere.
fn name_beyond_ustar(key: &[u8], name: &[u8], fits: bool, gnu: u8, pax: &mut Vec<u8>, out: &mut Vec<u8>) {
    let utf8 = std::str::from_utf8(name).is_ok();
    if utf8 && !(fits && name.is_ascii()) {
        record(key, name, pax);
    } else if !utf8 && !fits {
        let mut terminated = name.to_vec();
        terminated.push(0);
        extension(b"././@LongLink", gnu, &terminated, out);
    }
}

/// Splits a path into ustar's prefix and name at a slash; `None` if it does not fit.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= NAME.len() {
        return Some((b"", path));
    }
    let last = path.len() - 1;
    let first = last.checked_sub(NAME.len())?;
    (first.max(1)..last.min(PREFIX.len() + 1))
        .find(|&at| path[at] == b'/')
        .map(|at| (&path[..at], &path[at + 1..]))
}

/// Seconds and nanoseconds as pax writes them: `-1.5` is half a second before `-1`.
fn decimal(time: Mtime) -> String {
    let total = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    let sign = if total < 0 { "-" } else { "" };
    let (seconds, nanos) = (
        total.unsigned_abs() / 1_000_000_000,
        total.unsigned_abs() % 1_000_000_000,
    );
    if nanos == 0 {
        return format!("{sign}{seconds}");
    }
    let digits = format!("{nanos:09}");
    format!("{sign}{seconds}.{}", digits.trim_end_matches('0'))
}

/// Appends one pax record: its own length in decimal, blank, key, `=`, value, line break.
fn record(key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Appends a header that describes the next one, and its data.
fn extension(name: &[u8], kind: u8, data: &[u8], out: &mut Vec<u8>) {
    let mut block = Block::new(name, kind);
    block.octal(MODE, 0o644);
    block.octal(UID, 0);
    block.octal(GID, 0);
    block.octal(SIZE, data.len() as u64);
    block.octal(MTIME, 0);
    block.append(out);
    out.extend_from_slice(data);
    out.resize(out.len() + padding(data.len() as u64) as usize, 0);
}

type Field = std::ops::Range<usize>;
const NAME: Field = 0..100;
const MODE: Field = 100..108;
const UID: Field = 108..116;
const GID: Field = 116..124;
const SIZE: Field = 124..136;
const MTIME: Field = 136..148;
const CHECKSUM: Field = 148..156;
const KIND: usize = 156;
const LINK: Field = 157..257;
const MAGIC: Field = 257..265;
const PREFIX: Field = 345..500;

/// One header block.
struct Block([u8; BLOCK as usize]);

impl Block {
    fn new(name: &[u8], kind: u8) -> Self {
        let mut block = Self([0; BLOCK as usize]);
        block.text(NAME, name);
        block.0[KIND] = kind;
        block.text(MAGIC, b"ustar\x0000");
        block
    }

    /// As much of `text` as fits.
    fn text(&mut self, field: Field, text: &[u8]) {
        let length = text.len().min(field.len());
        self.0[field.start..field.start + length].copy_from_slice(&text[..length]);
    }

    /// Octal digits with leading zeros and a closing NUL; the value must fit.
    fn octal(&mut self, field: Field, mut value: u64) {
        for digit in self.0[field.start..field.end - 1].iter_mut().rev() {
            *digit = b'0' + (value & 7) as u8;
            value >>= 3;
        }
        debug_assert_eq!(value, 0);
    }

    fn append(mut self, out: &mut Vec<u8>) {
        self.0[CHECKSUM].fill(b' ');
        let sum: u64 = self.0.iter().map(|&b| u64::from(b)).sum();
        self.octal(CHECKSUM.start..CHECKSUM.end - 1, sum);
        out.extend_from_slice(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_on_both_sides_of_1970() {
        let text = |seconds, nanos| decimal(Mtime { seconds, nanos });
        assert_eq!(text(5, 0), "5");
        assert_eq!(text(5, 120_000_000), "5.12");
        assert_eq!(text(-2, 500_000_000), "-1.5");
        assert_eq!(text(-1, 999_999_999), "-0.000000001");
        assert_eq!(text(i64::MIN, 0), i64::MIN.to_string());
    }

    #[test]
    fn records_count_their_own_length() {
        for length in [1, 89, 90, 91, 988, 989, 990, 99_990] {
            let mut out = Vec::new();
            record(b"path", &vec![b'x'; length], &mut out);
            let blank = out.iter().position(|&b| b == b' ').unwrap();
            let said: usize = std::str::from_utf8(&out[..blank]).unwrap().parse().unwrap();
            assert_eq!(said, out.len());
        }
    }

    #[test]
    fn paths_split_where_ustar_can_hold_them() {
        let long = |a: usize, b: usize| [vec![b'a'; a], vec![b'/'], vec![b'b'; b]].concat();
        assert_eq!(
            split(&long(155, 100)).map(|(p, n)| (p.len(), n.len())),
            Some((155, 100))
        );
        assert_eq!(split(&long(156, 100)), None);
        assert_eq!(split(&long(155, 101)), None);
        assert_eq!(split(&[b'a'; 101]), None);
        let directory = [vec![b'a'; 120], vec![b'/']].concat();
        assert_eq!(split(&directory), None);
    }
}
