//! Headers that only describe the entry after them: pax records and GNU's long names.

use super::{
    MAX_FILE, MAX_PAX, TarError,
    header::Header,
    pax::{PaxRecords, SparseRecords},
};
use crate::domain::entry::Mtime;

/// Which describing header is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetaKind {
    /// `x`: pax records for the next entry.
    Pax,
    /// `g`: pax records for all entries from here.
    PaxGlobal,
    /// `L`: the next entry's name.
    LongName,
    /// `K`: the next entry's link target.
    LongLink,
}

impl MetaKind {
    /// The kind of a header, if it is a describing one.
    pub fn of(typeflag: u8) -> Option<Self> {
        match typeflag {
            // `X` is what Solaris called `x` before POSIX did.
            b'x' | b'X' => Some(Self::Pax),
            b'g' => Some(Self::PaxGlobal),
            b'L' => Some(Self::LongName),
            b'K' => Some(Self::LongLink),
            _ => None,
        }
    }
}

/// What the describing headers said so far.
#[derive(Debug, Default)]
pub struct Described {
    global: PaxRecords,
    global_bytes: u64,
    local: Local,
    local_bytes: u64,
}

#[derive(Debug, Default)]
struct Local {
    pax: Option<PaxRecords>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

/// An entry with everything applied that was said about it.
#[derive(Debug)]
pub struct Facts {
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    pub typeflag: u8,
    /// Bytes the archive stores for it.
    pub stored: u64,
    pub mode: u32,
    pub uid: u64,
    pub gid: u64,
    pub mtime: Mtime,
    pub attributes: Vec<(String, Vec<u8>)>,
    pub sparse: SparseRecords,
}

impl Described {
    /// Announces a describing header of `size` bytes; refuses it if that would hold too much in memory.
    pub fn announce(&mut self, kind: MetaKind, size: u64) -> Result<usize, TarError> {
        let total = match kind {
            MetaKind::PaxGlobal => &mut self.global_bytes,
            _ => &mut self.local_bytes,
        };
        *total = total.saturating_add(size);
        if *total > MAX_PAX {
            return Err(TarError::Limit(format!("an extended header of {total} bytes")));
        }
        usize::try_from(size).map_err(|_| TarError::Limit(format!("an extended header of {size} bytes")))
    }

    /// Takes the body of a describing header.
    pub fn add(&mut self, kind: MetaKind, mut data: Vec<u8>) -> Result<(), TarError> {
        match kind {
            MetaKind::Pax => return self.local.pax.get_or_insert_default().add(&data),
            MetaKind::PaxGlobal => return self.global.add(&data),
            MetaKind::LongName | MetaKind::LongLink => {
                data.truncate(data.iter().position(|&b| b == 0).unwrap_or(data.len()));
            }
        }
        match kind {
            MetaKind::LongName => self.local.long_name = Some(data),
            _ => self.local.long_link = Some(data),
        }
        Ok(())
    }

    /// True if something was said about an entry that has not come yet.
    pub fn is_waiting(&self) -> bool {
        self.local_bytes > 0
    }

    /// Applies everything to `header` and forgets what was meant for it alone.
    pub fn apply(&mut self, header: Header) -> Result<Facts, TarError> {
        let local = std::mem::take(&mut self.local);
        self.local_bytes = 0;
        let pax = local.pax.unwrap_or_default().or_global(&self.global);
        let mut sparse = pax.sparse;
        let stored = pax.size.unwrap_or(header.size);
        if stored > MAX_FILE || sparse.real_size.is_some_and(|size| size > MAX_FILE) {
            let size = sparse.real_size.unwrap_or(0).max(stored);
            return Err(TarError::Limit(format!(
                "a file of {size} bytes; at most 16 TiB are accepted"
            )));
        }
        Ok(Facts {
            name: sparse
                .name
                .take()
                .or(pax.path)
                .or(local.long_name)
                .unwrap_or(header.name),
            link: pax.link_path.or(local.long_link).unwrap_or(header.link_name),
            typeflag: header.typeflag,
            stored,
            mode: header.mode,
            uid: pax.uid.unwrap_or(header.uid),
            gid: pax.gid.unwrap_or(header.gid),
            mtime: pax.mtime.unwrap_or(Mtime {
                seconds: header.mtime,
                nanos: 0,
            }),
            attributes: pax.attributes,
            sparse,
        })
    }
}
