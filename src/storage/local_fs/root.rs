//! The directory that lies at the storage's base just now, held open.
//!
//! A disk may go away or come back between any two steps. What is read and made through one `Root` is on one and the
//! same disk, so a marker that was seen there speaks for what was (not) found beside it.

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, renameat, statat},
    io::Errno,
};

/// A directory that stays the same one.
pub(super) struct Root {
    path: PathBuf,
    dir: OwnedFd,
}

impl Root {
    /// What lies at `path` now.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let dir = openat(CWD, path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self {
            path: path.to_owned(),
            dir,
        })
    }

    /// Where it was found, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// At most `limit` bytes of a file.
    pub(super) fn read(&self, name: &str, limit: u64) -> io::Result<String> {
        let file = openat(&self.dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut text = String::new();
        File::from(file).take(limit).read_to_string(&mut text)?;
        Ok(text)
    }

    /// A file for the owner's eyes only, to read and write; made if it is missing.
    pub(super) fn open_or_make(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        Ok(openat(&self.dir, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// Makes a directory for the owner's eyes only, durably, if it is missing.
    pub(super) fn make_dir(&self, name: &Path) -> io::Result<()> {
        match mkdirat(&self.dir, name, Mode::RWXU) {
            Ok(()) => Ok(rustix::fs::fsync(&self.dir)?),
            Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// True if there is something at this path below it.
    pub(super) fn has(&self, path: &Path) -> io::Result<bool> {
        match statat(&self.dir, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// True if `file` is what has this name.
    pub(super) fn has_as(&self, name: &str, file: &Metadata) -> bool {
        use std::os::unix::fs::MetadataExt;
        statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|there| (there.st_dev, there.st_ino) == (file.dev(), file.ino()))
    }

    /// Renames within it.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(renameat(&self.dir, from, &self.dir, to)?)
    }
}
