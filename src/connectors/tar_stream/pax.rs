//! pax records: `length key=value\n`, and what of them counts here.

use super::{TarError, header, numbers};
use crate::domain::entry::Mtime;

/// Most extended attributes of one file; Linux lists at most 64 KiB of their names.
const MAX_ATTRIBUTES: usize = 4096;

/// What pax records say about one file, or (from a global header) about all that follow.
#[derive(Debug, Clone, Default)]
pub struct PaxRecords {
    pub path: Option<Vec<u8>>,
    pub link_path: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub mtime: Option<Mtime>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    /// `SCHILY.xattr.*` and `SCHILY.acl.*`, passed on as they are.
    pub attributes: Vec<(String, Vec<u8>)>,
    pub sparse: SparseRecords,
}

/// GNU's sparse records, of all its versions.
#[derive(Debug, Clone, Default)]
pub struct SparseRecords {
    pub major: Option<u64>,
    pub real_size: Option<u64>,
    pub name: Option<Vec<u8>>,
    /// Offset and length pairs as versions 0.0 and 0.1 give them.
    pub map: Vec<u64>,
    /// True if any record of versions 0.0 or 0.1 was there.
    pub map_in_header: bool,
}

impl PaxRecords {
    /// Adds the records of one pax header.
    pub fn add(&mut self, mut data: &[u8]) -> Result<(), TarError> {
        let bad = || TarError::damaged("a pax record is malformed");
        // Some writers pad the header with NULs.
        while data.first().is_some_and(|&b| b != 0) {
            let blank = data.iter().take(20).position(|&b| b == b' ').ok_or_else(bad)?;
            let length = numbers::decimal(&data[..blank]).ok_or_else(bad)?;
            let length = usize::try_from(length).map_err(|_| bad())?;
            if length <= blank + 2 || length > data.len() || data[length - 1] != b'\n' {
                return Err(bad());
            }
            let record = &data[blank + 1..length - 1];
            let equals = record.iter().position(|&b| b == b'=').ok_or_else(bad)?;
            self.record(&record[..equals], &record[equals + 1..])?;
            data = &data[length..];
        }
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), TarError> {
        let bad = || TarError::damaged(format!("the pax value of {} is malformed", key.escape_ascii()));
        let number = || numbers::decimal(value).ok_or_else(bad);
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link_path = Some(value.to_vec()),
            b"size" => self.size = Some(number()?),
            b"mtime" => self.mtime = Some(numbers::time(value).ok_or_else(bad)?),
            b"uid" => self.uid = Some(header::owner(numbers::signed(value).ok_or_else(bad)?)),
            b"gid" => self.gid = Some(header::owner(numbers::signed(value).ok_or_else(bad)?)),
            b"GNU.sparse.major" => self.sparse.major = Some(number()?),
            b"GNU.sparse.name" => self.sparse.name = Some(value.to_vec()),
            b"GNU.sparse.realsize" => self.sparse.real_size = Some(number()?),
            b"GNU.sparse.size" => {
                self.sparse.real_size = Some(number()?);
                self.sparse.map_in_header = true;
            }
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => self.sparse.map.push(number()?),
            b"GNU.sparse.map" => {
                self.sparse.map_in_header = true;
                let numbers = value.split(|&b| b == b',').filter(|text| !text.is_empty());
                for text in numbers {
                    self.sparse.map.push(numbers::decimal(text).ok_or_else(bad)?);
                }
            }
            _ if key.starts_with(b"SCHILY.xattr.") || key.starts_with(b"SCHILY.acl.") => {
                // The kernel allows any bytes in an attribute's name; a pax key is UTF-8.
                if self.attributes.len() == MAX_ATTRIBUTES {
                    return Err(TarError::Limit(format!(
                        "a file with more than {MAX_ATTRIBUTES} attributes"
                    )));
                }
                if let Ok(key) = String::from_utf8(key.to_vec()) {
                    self.attributes.retain(|(known, _)| *known != key);
                    self.attributes.push((key, value.to_vec()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// These records, completed by the global ones.
    pub fn or_global(mut self, global: &PaxRecords) -> Self {
        self.path = self.path.or_else(|| global.path.clone());
        self.link_path = self.link_path.or_else(|| global.link_path.clone());
        self.size = self.size.or(global.size);
        self.mtime = self.mtime.or(global.mtime);
        self.uid = self.uid.or(global.uid);
        self.gid = self.gid.or(global.gid);
        for (key, value) in &global.attributes {
            if !self.attributes.iter().any(|(known, _)| known == key) {
                self.attributes.push((key.clone(), value.clone()));
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_hold_any_bytes() {
        let mut records = PaxRecords::default();
        records
            .add(b"13 path=\xff\n=x\n19 linkpath=target\n20 mtime=1700000.25\n\0\0")
            .unwrap();
        assert_eq!(records.path.as_deref(), Some(&b"\xff\n=x"[..]));
        assert_eq!(records.link_path.as_deref(), Some(&b"target"[..]));
        assert_eq!(records.mtime.map(|t| t.nanos), Some(250_000_000));
    }

    #[test]
    fn malformed_records_are_refused() {
        for bad in [
            &b"x"[..],
            b"99 path=a\n",
            b"3 a\n",
            b"0 path=a\n",
            b"10 path=ab",
            b"18446744073709551616 path=a\n",
            b"11 size=-1\n",
        ] {
            assert!(PaxRecords::default().add(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
