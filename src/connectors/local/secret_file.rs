//! A secret that our own children can read like a file, and that is on no disk.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsRawFd,
};

use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};
use secrecy::{ExposeSecret, SecretString};

/// A secret in memory that our own children can open by path, for as long as this value lives.
#[derive(Debug)]
pub(crate) struct SecretFile {
    file: File,
}

impl SecretFile {
    /// Puts `secret` into a new memory file, readable by our user only.
    pub(crate) fn new(secret: &SecretString) -> io::Result<Self> {
        let fd = memfd_create("xvault", MemfdFlags::CLOEXEC)?;
        // ssh and libpq refuse files that others could read, and a memory file starts with mode 0777.
        fchmod(&fd, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(fd);
        file.write_all(secret.expose_secret().as_bytes())?;
        Ok(Self { file })
    }

    /// Where our children find it.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd())
    }
}
