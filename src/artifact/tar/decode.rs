//! Header blocks back to an entry. Takes nothing on trust: whoever knows a recipient can make an
//! artifact.

use tar::{EntryType, Header};

use super::BLOCK;
use crate::domain::entry::{Entry, EntryKind, EntryPath, Mtime};

/// What in a header makes no sense.
type Fault = &'static str;

/// Reads the header blocks of one entry: exactly `head`, a whole number of blocks.
pub(crate) fn head(head: &[u8]) -> Result<Entry, Fault> {
    let mut extensions = Extensions::default();
    let mut rest = head;
    loop {
        let (block, after) = rest.split_at_checked(BLOCK as usize).ok_or("its header is cut short")?;
        let header = checked(block)?;
        let kind = header.entry_type();
        if !matches!(
            kind,
            EntryType::XHeader | EntryType::GNULongName | EntryType::GNULongLink
        ) {
            if !after.is_empty() {
                return Err("its header is longer than the index says");
            }
            return entry(header, extensions);
        }
        let size = header.entry_size().map_err(|_| "a header's size is no number")?;
        let blocks = size
            .div_ceil(BLOCK)
            .checked_mul(BLOCK)
            .ok_or("a header's size is absurd")?;
        let blocks = usize::try_from(blocks).map_err(|_| "a header's size is absurd")?;
        let (data, after) = after.split_at_checked(blocks).ok_or("its header is cut short")?;
        // In range: `size` is at most `blocks`.
        extensions.take(kind, &data[..size as usize])?;
        rest = after;
    }
}

fn checked(block: &[u8]) -> Result<&Header, Fault> {
    let header = Header::from_byte_slice(block);
    let unsigned = |bytes: &[u8]| bytes.iter().map(|&b| u32::from(b)).sum::<u32>();
    let sum = unsigned(&block[..148]) + 8 * u32::from(b' ') + unsigned(&block[156..]);
    if header.cksum().ok() != Some(sum) {
        return Err("a header's checksum is wrong");
    }
    Ok(header)
}

/// What the headers before the last one said.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<Mtime>,
    rest: Vec<(String, Vec<u8>)>,
}

impl Extensions {
    fn take(&mut self, kind: EntryType, data: &[u8]) -> Result<(), Fault> {
        match kind {
            EntryType::GNULongName => self.path = Some(until_nul(data)),
            EntryType::GNULongLink => self.target = Some(until_nul(data)),
            _ => {
                let mut rest = data;
                while !rest.is_empty() {
                    let (key, value, after) = pax_record(rest).ok_or("its pax header is damaged")?;
                    self.record(key, value)?;
                    rest = after;
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, key: &str, value: &[u8]) -> Result<(), Fault> {
        let number = || -> Result<u64, Fault> {
            let text = std::str::from_utf8(value).map_err(|_| "a pax number is not text")?;
            text.parse().map_err(|_| "a pax number is no number")
        };
        match key {
            "path" => self.path = Some(value.to_vec()),
            "linkpath" => self.target = Some(value.to_vec()),
            "size" => self.size = Some(number()?),
            "uid" => self.uid = Some(number()?),
            "gid" => self.gid = Some(number()?),
            "mtime" => self.mtime = Some(time(value).ok_or("its mtime is no number")?),
            _ => self.rest.push((key.to_owned(), value.to_vec())),
        }
        Ok(())
    }
}

/// Splits off `length key=value\n`. Goes by the length, as a value may hold line breaks (which the
/// iterator of the tar crate takes for the end of the record).
fn pax_record(data: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let blank = data.iter().take(10).position(|&b| b == b' ')?;
    let length: usize = std::str::from_utf8(&data[..blank]).ok()?.parse().ok()?;
    let (record, after) = data.split_at_checked(length)?;
    let record = record.get(blank + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&b| b == b'=')?;
    let key = std::str::from_utf8(&record[..equals]).ok()?;
    Some((key, &record[equals + 1..], after))
}

fn until_nul(data: &[u8]) -> Vec<u8> {
    data.split(|&b| b == 0).next().unwrap_or_default().to_vec()
}

/// Seconds with an optional fraction of up to nine digits.
fn time(value: &[u8]) -> Option<Mtime> {
    let text = std::str::from_utf8(value).ok()?;
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: i128 = format!("{fraction:0<9}").parse().ok()?;
    let total = i128::from(seconds.parse::<u64>().ok()?) * 1_000_000_000 + nanos;
    let total = if negative { -total } else { total };
    Some(Mtime {
        seconds: i64::try_from(total.div_euclid(1_000_000_000)).ok()?,
        nanos: total.rem_euclid(1_000_000_000) as u32,
    })
}

fn entry(header: &Header, extensions: Extensions) -> Result<Entry, Fault> {
    let path = extensions.path.unwrap_or_else(|| header.path_bytes().into_owned());
    let target = extensions
        .target
        .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned))
        .unwrap_or_default();
    let size = match extensions.size {
        Some(size) => size,
        None => header.entry_size().map_err(|_| "its size is no number")?,
    };
    let kind = match header.entry_type() {
        EntryType::Regular => EntryKind::File { size },
        EntryType::Directory => EntryKind::Directory,
        EntryType::Symlink => EntryKind::Symlink { target },
        EntryType::Link => EntryKind::HardLink {
            target: EntryPath::new(&target).map_err(|_| "its target leads outside")?,
        },
        _ => return Err("its type is none that an artifact has"),
    };
    if size != 0 && !matches!(kind, EntryKind::File { .. }) {
        return Err("it has data but is no file");
    }
    let mtime = match extensions.mtime {
        Some(mtime) => mtime,
        None => Mtime {
            seconds: header
                .mtime()
                .ok()
                .and_then(|s| i64::try_from(s).ok())
                .ok_or("its mtime is no number")?,
            nanos: 0,
        },
    };
    Ok(Entry {
        path: EntryPath::new(&path).map_err(|_| "its path leads outside")?,
        kind,
        mode: header.mode().map_err(|_| "its mode is no number")? & 0o7777,
        uid: match extensions.uid {
            Some(id) => id,
            None => header.uid().map_err(|_| "its owner is no number")?,
        },
        gid: match extensions.gid {
            Some(id) => id,
            None => header.gid().map_err(|_| "its group is no number")?,
        },
        mtime,
        pax: extensions.rest,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::encode, *};

    fn path(bytes: &[u8]) -> EntryPath {
        EntryPath::new(bytes).unwrap()
    }

    fn round_trip(entry: &Entry) {
        let mut blocks = Vec::new();
        encode::head(entry, &mut blocks);
        assert_eq!(&head(&blocks).unwrap(), entry);
    }

    #[test]
    fn every_entry_comes_back_as_it_was() {
        let names: [&[u8]; 6] = [
            b"a",
            &[b'n'; 101],
            &[b'x'; 4000],
            "ü/ñ".as_bytes(),
            b"\xff\xfe",
            &[0xff; 300],
        ];
        let mtimes = [(0, 0), (1_700_000_000, 123_456_789), (-5, 500_000_000), (1 << 40, 0)];
        for name in names {
            for target in names {
                for kind in [
                    EntryKind::File { size: 0 },
                    EntryKind::File { size: (1 << 33) - 1 },
                    EntryKind::File { size: 1 << 33 },
                    EntryKind::Directory,
                    EntryKind::Symlink {
                        target: target.to_vec(),
                    },
                    EntryKind::HardLink { target: path(target) },
                ] {
                    for (seconds, nanos) in mtimes {
                        round_trip(&Entry {
                            path: path(name),
                            kind: kind.clone(),
                            mode: 0o4755,
                            uid: 2_097_152,
                            gid: 33,
                            mtime: Mtime { seconds, nanos },
                            pax: vec![("SCHILY.xattr.user.x".into(), b"a\n\0b".to_vec())],
                        });
                    }
                }
            }
        }
    }

    #[test]
    fn any_changed_bit_is_noticed_or_harmless() {
        let entry = Entry {
            path: path(&[b'n'; 150]),
            kind: EntryKind::File { size: 1 << 34 },
            mode: 0o644,
            uid: 1,
            gid: 2,
            mtime: Mtime { seconds: 1, nanos: 5 },
            pax: Vec::new(),
        };
        let mut blocks = Vec::new();
        encode::head(&entry, &mut blocks);
        for bit in 0..blocks.len() * 8 {
            let mut bad = blocks.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let _ = head(&bad);
            let _ = head(&bad[..bit / 8]);
        }
    }
}
