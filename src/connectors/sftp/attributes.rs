//! File attributes as SFTP v3 carries them.

use super::{
    error::SftpError,
    packet::{Fields, Request},
};
use crate::domain::entry::Mtime;

const HAS_SIZE: u32 = 1;
const HAS_OWNER: u32 = 2;
const HAS_PERMISSIONS: u32 = 4;
const HAS_TIMES: u32 = 8;
const HAS_EXTENDED: u32 = 0x8000_0000;

/// What kind of thing the type bits of the permissions name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    Regular,
    Directory,
    Symlink,
    /// With what to call it.
    Special(&'static str),
}

/// Attributes; each may be missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    pub size: Option<u64>,
    pub owner: Option<(u32, u32)>,
    pub permissions: Option<u32>,
    /// Seconds since 1970.
    pub mtime: Option<u32>,
}

impl Attributes {
    /// Reads them from a packet.
    pub fn read(fields: &mut Fields) -> Result<Self, SftpError> {
        let flags = fields.u32()?;
        let mut attributes = Self::default();
        if flags & HAS_SIZE != 0 {
            attributes.size = Some(fields.u64()?);
        }
        if flags & HAS_OWNER != 0 {
            attributes.owner = Some((fields.u32()?, fields.u32()?));
        }
        if flags & HAS_PERMISSIONS != 0 {
            attributes.permissions = Some(fields.u32()?);
        }
        if flags & HAS_TIMES != 0 {
            let _accessed = fields.u32()?;
            attributes.mtime = Some(fields.u32()?);
        }
        if flags & HAS_EXTENDED != 0 {
            for _ in 0..fields.u32()? {
                fields.string()?;
                fields.string()?;
            }
        }
        Ok(attributes)
    }

    /// Bytes of the packed form.
    pub const PACKED: usize = 17;

    /// Everything but the size, in fixed length: which fields are set, then the fields.
    pub fn pack(&self) -> [u8; Self::PACKED] {
        let (owner, group) = self.owner.unwrap_or_default();
        let fields = [owner, group, self.permissions.unwrap_or(0), self.mtime.unwrap_or(0)];
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        let set = flag(self.owner.is_some(), HAS_OWNER)
            | flag(self.permissions.is_some(), HAS_PERMISSIONS)
            | flag(self.mtime.is_some(), HAS_TIMES);
        let mut packed = [0; Self::PACKED];
        packed[0] = set as u8;
        for (place, field) in packed[1..].chunks_exact_mut(4).zip(fields) {
            place.copy_from_slice(&field.to_ne_bytes());
        }
        packed
    }

    /// What [`Attributes::pack`] packed.
    pub fn unpack(packed: &[u8; Self::PACKED]) -> Self {
        let set = u32::from(packed[0]);
        let mut fields = [0; 4];
        for (field, place) in fields.iter_mut().zip(packed[1..].chunks_exact(4)) {
            *field = u32::from_ne_bytes([place[0], place[1], place[2], place[3]]);
        }
        let [owner, group, permissions, mtime] = fields;
        Self {
            size: None,
            owner: (set & HAS_OWNER != 0).then_some((owner, group)),
            permissions: (set & HAS_PERMISSIONS != 0).then_some(permissions),
            mtime: (set & HAS_TIMES != 0).then_some(mtime),
        }
    }

    /// The type, if the server told it.
    pub fn file_type(&self) -> Option<FileType> {
        match self.permissions? & 0o170_000 {
            0o100_000 => Some(FileType::Regular),
            0o040_000 => Some(FileType::Directory),
            0o120_000 => Some(FileType::Symlink),
            0o010_000 => Some(FileType::Special("a FIFO")),
            0o140_000 => Some(FileType::Special("a socket")),
            0o020_000 => Some(FileType::Special("a character device")),
            0o060_000 => Some(FileType::Special("a block device")),
            _ => None,
        }
    }

    /// Permission bits without the type.
    pub fn mode(&self) -> u32 {
        self.permissions.unwrap_or(0o644) & 0o7777
    }

    /// The time of the last change.
    pub fn mtime(&self) -> Mtime {
        Mtime {
            seconds: i64::from(self.mtime.unwrap_or(0)),
            nanos: 0,
        }
    }
}

/// Attributes to be set; what is `None` stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    pub owner: Option<(u32, u32)>,
    /// Permission bits.
    pub mode: Option<u32>,
    /// As near to it as unsigned seconds of 32 bits come.
    pub mtime: Option<Mtime>,
}

impl Changes {
    /// Appends them to a request.
    pub fn write(&self, request: Request) -> Request {
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        let flags = flag(self.owner.is_some(), HAS_OWNER)
            | flag(self.mode.is_some(), HAS_PERMISSIONS)
            | flag(self.mtime.is_some(), HAS_TIMES);
        let mut request = request.u32(flags);
        if let Some((user, group)) = self.owner {
            request = request.u32(user).u32(group);
        }
        if let Some(mode) = self.mode {
            request = request.u32(mode & 0o7777);
        }
        if let Some(mtime) = self.mtime {
            let seconds = seconds(mtime);
            request = request.u32(seconds).u32(seconds);
        }
        request
    }

    /// True if nothing is to be set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A time as the protocol carries it.
pub fn seconds(mtime: Mtime) -> u32 {
    mtime.seconds.clamp(0, u32::MAX.into()) as u32
}
