//! Snapshots as directories on the disk of one worker.
//!
//! ```text
//! {base}/.lock       held by the one process that has the storage open
//! {base}/.staging/   what is being written or removed; emptied when the storage is opened
//! {base}/tenants/{tenant_id}/sources/{source_id}/snapshots/{snapshot_id}/
//! ```
//! A snapshot enters and leaves its place by one rename, so what lies there is whole.

mod stage;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock, statvfs};

use super::{ReadSeek, Stage, Storage, StorageError};
use crate::domain::{
    ids::WorkerId,
    snapshot::{ArtifactFile, Locator, SnapshotKey},
};

const STAGING: &str = ".staging";

/// A directory tree that belongs to one process at a time.
pub struct LocalFs {
    base: PathBuf,
    worker_id: WorkerId,
    /// Locked for as long as it is open; the system lets go even when the process is killed.
    _lock: File,
}

impl LocalFs {
    /// Opens (and makes, if missing) the storage at `base`; what a crash left half-written or
    /// half-removed goes. Fails with [`StorageError::InUse`] if another process has it open.
    pub fn open(base: &Path, worker_id: WorkerId) -> Result<Self, StorageError> {
        let base = std::path::absolute(base).map_err(|error| said(base, error))?;
        make_dirs(&base)?;
        let lock = lock(&base, &worker_id)?;
        let staging = base.join(STAGING);
        make_dirs(&staging)?;
        for stale in fs::read_dir(&staging).map_err(|error| said(&staging, error))? {
            let stale = stale.map_err(|error| said(&staging, error))?.path();
            let removed = if stale.is_dir() {
                fs::remove_dir_all(&stale)
            } else {
                fs::remove_file(&stale)
            };
            removed.map_err(|error| said(&stale, error))?;
        }
        Ok(Self {
            base,
            worker_id,
            _lock: lock,
        })
    }

    fn place(&self, key: &SnapshotKey) -> PathBuf {
        self.base.join(key.prefix())
    }

    fn new_staging(&self) -> PathBuf {
        self.base.join(STAGING).join(uuid::Uuid::new_v4().simple().to_string())
    }
}

impl Storage for LocalFs {
    fn stage(&self, key: &SnapshotKey) -> Result<Box<dyn Stage>, StorageError> {
        let target = self.place(key);
        if target.exists() {
            return Err(StorageError::Exists { place: shown(&target) });
        }
        let stage = stage::LocalStage::new(self.new_staging(), target, key.snapshot_id.clone(), self.locator(key))?;
        Ok(Box::new(stage))
    }

    fn open(&self, key: &SnapshotKey, file: ArtifactFile) -> Result<Box<dyn ReadSeek>, StorageError> {
        let path = self.place(key).join(file.name());
        Ok(Box::new(File::open(&path).map_err(|error| said(&path, error))?))
    }

    fn head(&self, key: &SnapshotKey, file: ArtifactFile) -> Result<u64, StorageError> {
        let path = self.place(key).join(file.name());
        Ok(fs::metadata(&path).map_err(|error| said(&path, error))?.len())
    }

    fn list(&self) -> Result<Box<dyn Iterator<Item = Result<SnapshotKey, StorageError>> + Send>, StorageError> {
        let tenants = below(self.base.join("tenants"));
        let snapshots = deeper(deeper(tenants, "sources"), "snapshots");
        // What is no id was not put there by us.
        Ok(Box::new(snapshots.filter_map(|path| match path {
            Ok(path) => key_of(&path).map(Ok),
            Err(error) => Some(Err(error)),
        })))
    }

    fn delete(&self, key: &SnapshotKey) -> Result<(), StorageError> {
        let place = self.place(key);
        let leaving = self.new_staging();
        // Out of its place first: killed half-way, it never looks whole.
        match fs::rename(&place, &leaving) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(said(&place, error)),
        }
        if let Some(parent) = place.parent() {
            sync_dir(parent)?;
        }
        fs::remove_dir_all(&leaving).map_err(|error| said(&leaving, error))?;
        // Up to `tenants`, and only empty ones go: the last snapshot takes its directories along.
        for parent in place.ancestors().skip(1).take(5) {
            if fs::remove_dir(parent).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn locator(&self, key: &SnapshotKey) -> Locator {
        Locator::LocalFs {
            worker_id: self.worker_id.clone(),
            local_path: shown(&self.place(key)),
        }
    }

    fn space(&self) -> Result<Option<(u64, u64)>, StorageError> {
        let stat = statvfs(&self.base).map_err(|error| said(&self.base, error.into()))?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Some((bytes(stat.f_blocks), bytes(stat.f_bavail))))
    }
}

/// Takes the lock of a storage; its text tells the next one who has it.
fn lock(base: &Path, worker_id: &WorkerId) -> Result<File, StorageError> {
    let path = base.join(".lock");
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(|error| said(&path, error))?;
    if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK {
            return Err(said(&path, error.into()));
        }
        let mut holder = String::new();
        // Whatever cannot be read only makes the message poorer.
        let _ = file.take(200).read_to_string(&mut holder);
        let holder = if holder.is_empty() {
            "another process".to_owned()
        } else {
            holder
        };
        return Err(StorageError::InUse {
            place: shown(base),
            holder,
        });
    }
    let holder = format!("worker {worker_id} (process {})", std::process::id());
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(holder.as_bytes()))
        .map_err(|error| said(&path, error))?;
    Ok(file)
}

type Paths = Box<dyn Iterator<Item = Result<PathBuf, StorageError>> + Send>;

/// What lies in `dir`; nothing if it is missing.
fn below(dir: PathBuf) -> Paths {
    match fs::read_dir(&dir) {
        Ok(entries) => Box::new(entries.map(move |entry| match entry {
            Ok(entry) => Ok(entry.path()),
            Err(error) => Err(said(&dir, error)),
        })),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Box::new(std::iter::empty())
        }
        Err(error) => Box::new(std::iter::once(Err(said(&dir, error)))),
    }
}

/// What lies in the directory `name` of each of `paths`.
fn deeper(paths: Paths, name: &'static str) -> Paths {
    Box::new(paths.flat_map(move |path| match path {
        Ok(path) => below(path.join(name)),
        Err(error) => Box::new(std::iter::once(Err(error))),
    }))
}

/// The key of `…/tenants/{}/sources/{}/snapshots/{}`, if these are ids.
fn key_of(path: &Path) -> Option<SnapshotKey> {
    let name = |up: usize| path.ancestors().nth(up)?.file_name()?.to_str();
    Some(SnapshotKey {
        tenant_id: name(4)?.parse().ok()?,
        source_id: name(2)?.parse().ok()?,
        snapshot_id: name(0)?.parse().ok()?,
    })
}

/// Makes a directory and its parents for the owner's eyes only, each durably.
fn make_dirs(path: &Path) -> Result<(), StorageError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_dirs(parent)?;
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(said(path, error)),
            _ => sync_dir(parent)?,
        }
    }
    Ok(())
}

fn sync_dir(path: &Path) -> Result<(), StorageError> {
    match File::open(path).and_then(|dir| dir.sync_all()) {
        // Removed by the deletion of the last snapshot beside it; nothing is left to make durable.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(|error| said(path, error)),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn said(path: &Path, error: io::Error) -> StorageError {
    StorageError::io(shown(path), error)
}
