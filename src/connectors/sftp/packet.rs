//! Packets of SFTP v3: how requests are written and fields are read.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::error::SftpError;

/// The version spoken; every server speaks it.
pub const VERSION: u32 = 3;
/// Largest packet accepted: OpenSSH's own limit and some room for the header.
pub const MAX_PACKET: usize = 256 * 1024 + 1024;

pub const INIT: u8 = 1;
pub const VERSION_REPLY: u8 = 2;
pub const OPEN: u8 = 3;
pub const CLOSE: u8 = 4;
pub const READ: u8 = 5;
pub const WRITE: u8 = 6;
pub const LSTAT: u8 = 7;
pub const FSTAT: u8 = 8;
pub const SETSTAT: u8 = 9;
pub const FSETSTAT: u8 = 10;
pub const OPENDIR: u8 = 11;
pub const READDIR: u8 = 12;
pub const REMOVE: u8 = 13;
pub const MKDIR: u8 = 14;
pub const REALPATH: u8 = 16;
pub const STAT: u8 = 17;
pub const RENAME: u8 = 18;
pub const READLINK: u8 = 19;
pub const SYMLINK: u8 = 20;
pub const STATUS: u8 = 101;
pub const HANDLE: u8 = 102;
pub const DATA: u8 = 103;
pub const NAME: u8 = 104;
pub const ATTRS: u8 = 105;
pub const EXTENDED: u8 = 200;
pub const EXTENDED_REPLY: u8 = 201;

/// A request being written.
pub struct Request(BytesMut);

impl Request {
    /// Begins a request; `id` is the version for [`INIT`].
    pub fn new(kind: u8, id: u32) -> Self {
        let mut bytes = BytesMut::with_capacity(128);
        bytes.put_u32(0);
        bytes.put_u8(kind);
        bytes.put_u32(id);
        Self(bytes)
    }

    pub fn string(mut self, string: &[u8]) -> Self {
        // Paths, handles and pieces of files: all are far below 4 GiB.
        self.0.put_u32(string.len() as u32);
        self.0.put_slice(string);
        self
    }

    pub fn u32(mut self, number: u32) -> Self {
        self.0.put_u32(number);
        self
    }

    pub fn u64(mut self, number: u64) -> Self {
        self.0.put_u64(number);
        self
    }

    /// The packet with its length.
    pub fn finish(mut self) -> Bytes {
        let length = self.0.len() as u32 - 4;
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0.freeze()
    }
}

/// The fields of a reply, read in order; never beyond its end.
#[derive(Debug, Clone)]
pub struct Fields(pub Bytes);

fn short() -> SftpError {
    SftpError::Protocol("a reply is shorter than its fields".into())
}

impl Fields {
    pub fn u8(&mut self) -> Result<u8, SftpError> {
        self.0.try_get_u8().map_err(|_| short())
    }

    pub fn u32(&mut self) -> Result<u32, SftpError> {
        self.0.try_get_u32().map_err(|_| short())
    }

    pub fn u64(&mut self) -> Result<u64, SftpError> {
        self.0.try_get_u64().map_err(|_| short())
    }

    /// A slice of the packet, not a copy.
    pub fn string(&mut self) -> Result<Bytes, SftpError> {
        let length = self.u32()? as usize;
        if length > self.0.len() {
            return Err(short());
        }
        Ok(self.0.split_to(length))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
