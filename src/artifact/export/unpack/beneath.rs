//! Names below a directory, reached component by component without following a link: the only way
//! the unpacker touches the disk.

use std::{fs, fs::File, io, os::fd::OwnedFd, path::Path};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, linkat, mkdirat, openat, symlinkat, unlinkat},
    io::{Errno, Result},
};

use crate::{
    domain::{entry::EntryPath, error_code::ErrorCode, job::JobError},
    storage::StorageError,
};

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The directory everything stays below.
pub(super) struct Beneath(OwnedFd);

/// Where an entry goes.
pub(super) struct Parent<'p> {
    pub(super) dir: OwnedFd,
    pub(super) name: &'p [u8],
}

impl Beneath {
    /// Opens `target`, which is made if it is missing and must be empty.
    pub(super) fn new(target: &Path) -> std::result::Result<Self, JobError> {
        let open = || -> io::Result<(OwnedFd, bool)> {
            fs::create_dir_all(target)?;
            let empty = fs::read_dir(target)?.next().is_none();
            let dir = openat(CWD, target, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            Ok((dir, empty))
        };
        match open() {
            Ok((dir, true)) => Ok(Self(dir)),
            Ok((_, false)) => Err(JobError::new(
                ErrorCode::StorageFailed,
                format!("{} is not empty", target.display()),
                "name a new or empty directory",
            )
            .permanent()),
            Err(error) => Err(StorageError::io(target.display().to_string(), error).into()),
        }
    }

    /// The directory an entry lies in; what is missing on the way is made.
    pub(super) fn parent<'p>(&self, path: &'p EntryPath) -> Result<Parent<'p>> {
        let bytes = path.as_bytes();
        let (above, name) = match bytes.iter().rposition(|&b| b == b'/') {
            Some(slash) => (&bytes[..slash], &bytes[slash + 1..]),
            None => (&b""[..], bytes),
        };
        let dir = self.walk(above)?;
        Ok(Parent { dir, name })
    }

    /// A directory, made if it is missing.
    pub(super) fn directory(&self, path: &EntryPath) -> Result<OwnedFd> {
        self.walk(path.as_bytes())
    }

    /// Makes `new` another name of `old`.
    pub(super) fn link(&self, old: &EntryPath, new: &EntryPath) -> Result<()> {
        let (old, new) = (self.parent(old)?, self.parent(new)?);
        new.clear()?;
        linkat(&old.dir, old.name, &new.dir, new.name, AtFlags::empty())
    }

    fn walk(&self, path: &[u8]) -> Result<OwnedFd> {
        let mut dir = openat(&self.0, ".", DIRECTORY, Mode::empty())?;
        for part in path.split(|&b| b == b'/').filter(|part| !part.is_empty()) {
            dir = match openat(&dir, part, DIRECTORY, Mode::empty()) {
                Err(Errno::NOENT) => {
                    mkdirat(&dir, part, Mode::RWXU)?;
                    openat(&dir, part, DIRECTORY, Mode::empty())?
                }
                opened => opened?,
            };
        }
        Ok(dir)
    }
}

impl Parent<'_> {
    /// Removes what an earlier entry of the same name left.
    pub(super) fn clear(&self) -> Result<()> {
        match unlinkat(&self.dir, self.name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            result => result,
        }
    }

    pub(super) fn create(&self) -> Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.dir, self.name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
    }

    pub(super) fn symlink(&self, target: &[u8]) -> Result<()> {
        symlinkat(target, &self.dir, self.name)
    }
}
