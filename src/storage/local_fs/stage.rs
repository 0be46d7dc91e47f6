//! A snapshot on its way into the storage.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{make_dirs, said, shown, staging::Reserved, sync_dir};
use crate::{
    domain::{
        ids::SnapshotId,
        snapshot::{ArtifactFile, Locator},
    },
    storage::{Stage, StorageError},
};

/// How often a commit tries again when the directory it goes to is removed under it, together with
/// the last snapshot in there.
const TRIES: usize = 5;

pub(super) struct LocalStage {
    dir: Reserved,
    target: PathBuf,
    snapshot_id: SnapshotId,
    locator: Locator,
    files: Vec<ArtifactFile>,
    settled: bool,
}

impl LocalStage {
    pub(super) fn new(
        dir: Reserved,
        target: PathBuf,
        snapshot_id: SnapshotId,
        locator: Locator,
    ) -> Result<Self, StorageError> {
        DirBuilder::new()
            .mode(0o700)
            .create(dir.path())
            .map_err(|error| said(dir.path(), error))?;
        Ok(Self {
            dir,
            target,
            snapshot_id,
            locator,
            files: Vec::new(),
            settled: false,
        })
    }

    fn rename_into_place(&self) -> Result<(), StorageError> {
        let parent = self.target.parent().unwrap_or(Path::new("/"));
        let mut tries = 0;
        loop {
            make_dirs(parent)?;
            match rename_new(self.dir.path(), &self.target) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => tries += 1,
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
                    ) =>
                {
                    return Err(StorageError::Exists {
                        place: shown(&self.target),
                    });
                }
                result => return result.map_err(|error| said(&self.target, error)),
            }
        }
    }
}

/// Renames, but never over something.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system knows the flag. A plain rename replaces empty directories only.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => fs::rename(from, to),
        result => result.map_err(io::Error::from),
    }
}

impl Stage for LocalStage {
    fn create(&mut self, file: ArtifactFile) -> Result<Box<dyn Write + Send>, StorageError> {
        let path = self.dir.path().join(file.name());
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let opened = opened.map_err(|error| said(&path, error))?;
        self.files.push(file);
        Ok(Box::new(opened))
    }

    fn commit(mut self: Box<Self>) -> Result<Locator, StorageError> {
        for file in &self.files {
            let path = self.dir.path().join(file.name());
            File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(|error| said(&path, error))?;
        }
        sync_dir(self.dir.path())?;
        self.rename_into_place()?;
        self.settled = true;
        let parent = self.target.parent().unwrap_or(Path::new("/"));
        if let Err(error) = sync_dir(parent) {
            // Nobody will be told of this snapshot, so it must not stay. If it cannot be taken out
            // either, the next look over the storage finds it without a catalogue entry.
            if fs::rename(&self.target, self.dir.path()).is_ok() {
                self.settled = false;
            }
            return Err(error);
        }
        Ok(self.locator.clone())
    }

    fn snapshot_id(&self) -> &SnapshotId {
        &self.snapshot_id
    }

    fn locator(&self) -> Locator {
        self.locator.clone()
    }
}

impl Drop for LocalStage {
    fn drop(&mut self) {
        if !self.settled
            && let Err(error) = fs::remove_dir_all(self.dir.path())
        {
            tracing::warn!(dir = %self.dir.path().display(), %error, "an unfinished snapshot could not be removed; the next sweep tries again");
        }
    }
}
