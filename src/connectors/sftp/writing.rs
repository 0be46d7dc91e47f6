//! The requests that change something.

use super::{
    attributes::Changes,
    client::SftpClient,
    error::SftpError,
    packet::{self, Request},
    replies::Pending,
};
use crate::connectors::target::Room;

impl SftpClient {
    /// Makes a file and opens it for writing; refused if anything has that name. Only its owner may read it.
    pub async fn create_new(&self, path: &[u8]) -> Result<Pending, SftpError> {
        /// `WRITE`, `CREAT`, `EXCL`
        const NEW: u32 = 0x02 | 0x08 | 0x20;
        let private = Changes {
            mode: Some(0o600),
            ..Changes::default()
        };
        self.send(packet::OPEN, |r| private.write(r.string(path).u32(NEW)))
            .await
    }

    /// Writes to an open file.
    pub async fn write(&self, handle: &[u8], offset: u64, data: &[u8]) -> Result<Pending, SftpError> {
        self.send(packet::WRITE, |r| r.string(handle).u64(offset).string(data))
            .await
    }

    /// Makes an open file durable.
    pub async fn fsync(&self, handle: &[u8]) -> Result<Pending, SftpError> {
        self.extended("fsync@openssh.com", |r| r.string(handle)).await
    }

    /// Changes attributes of an open file.
    pub async fn fsetstat(&self, handle: &[u8], changes: &Changes) -> Result<Pending, SftpError> {
        self.send(packet::FSETSTAT, |r| changes.write(r.string(handle))).await
    }

    /// Closes a handle; the answer tells whether everything arrived.
    pub async fn close_written(&self, handle: &[u8]) -> Result<Pending, SftpError> {
        self.send(packet::CLOSE, |r| r.string(handle)).await
    }

    /// Changes attributes of what a path leads to.
    pub async fn setstat(&self, path: &[u8], changes: &Changes) -> Result<Pending, SftpError> {
        self.send(packet::SETSTAT, |r| changes.write(r.string(path))).await
    }

    /// Changes attributes of a link itself.
    pub async fn lsetstat(&self, path: &[u8], changes: &Changes) -> Result<Pending, SftpError> {
        self.extended("lsetstat@openssh.com", |r| changes.write(r.string(path)))
            .await
    }

    /// Makes a directory.
    pub async fn mkdir(&self, path: &[u8], mode: u32) -> Result<Pending, SftpError> {
        let changes = Changes {
            mode: Some(mode),
            ..Changes::default()
        };
        self.send(packet::MKDIR, |r| changes.write(r.string(path))).await
    }

    /// Removes a file or link.
    pub async fn remove(&self, path: &[u8]) -> Result<Pending, SftpError> {
        self.send(packet::REMOVE, |r| r.string(path)).await
    }

    /// Renames to a name that is free.
    pub async fn rename(&self, from: &[u8], to: &[u8]) -> Result<Pending, SftpError> {
        self.send(packet::RENAME, |r| r.string(from).string(to)).await
    }

    /// Renames, in place of what may be there.
    pub async fn posix_rename(&self, from: &[u8], to: &[u8]) -> Result<Pending, SftpError> {
        self.extended("posix-rename@openssh.com", |r| r.string(from).string(to))
            .await
    }

    /// Makes a symbolic link.
    pub async fn symlink(&self, path: &[u8], target: &[u8]) -> Result<Pending, SftpError> {
        // The standard has it the other way round; every server follows OpenSSH.
        self.send(packet::SYMLINK, |r| r.string(target).string(path)).await
    }

    /// Gives a file another name.
    pub async fn hardlink(&self, file: &[u8], path: &[u8]) -> Result<Pending, SftpError> {
        self.extended("hardlink@openssh.com", |r| r.string(file).string(path))
            .await
    }

    /// What is left of the file system around a path.
    pub async fn room(&self, path: &[u8]) -> Result<Room, SftpError> {
        const READ_ONLY: u64 = 1;
        let reply = self.extended("statvfs@openssh.com", |r| r.string(path)).await?;
        let mut fields = reply.extended().await?;
        let mut numbers = [0; 11];
        for number in &mut numbers {
            *number = fields.u64()?;
        }
        let [_, fragment, _, _, blocks_left, files, _, files_left, _, flags, _] = numbers;
        Ok(Room {
            free_bytes: blocks_left.saturating_mul(fragment),
            // File systems without a fixed number of files say 0 of 0.
            free_files: files == 0 || files_left > 0,
            read_only: flags & READ_ONLY != 0,
        })
    }

    async fn extended(&self, name: &str, fields: impl FnOnce(Request) -> Request) -> Result<Pending, SftpError> {
        self.send(packet::EXTENDED, |r| fields(r.string(name.as_bytes()))).await
    }
}
