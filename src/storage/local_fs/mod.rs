//! Snapshots as directories on the disk of one worker.
//!
//! ```text
//! {base}/.lock         held by the one process that has the storage open
//! {base}/.staging/     what is being written or removed; emptied when the storage is opened
//! {base}/storage.json  which storage this is, and whose
//! {base}/tenants/{tenant_id}/sources/{source_id}/snapshots/{snapshot_id}/
//! ```
//! A snapshot enters and leaves its place by one rename, so what lies there is whole.

mod lock;
mod marker;
mod root;
mod stage;
mod staging;

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use rustix::fs::statvfs;

pub use marker::{MARKER, Marker};
use root::Root;
use staging::Staging;

use super::{ReadSeek, Stage, Storage, StorageError};
use crate::domain::{
    ids::{StorageId, WorkerId},
    snapshot::{ArtifactFile, Locator, SnapshotKey},
};

/// Name of the staging directory.
const STAGING: &str = ".staging";

/// A directory tree that belongs to one process at a time.
pub struct LocalFs {
    base: PathBuf,
    worker_id: WorkerId,
    staging: Staging,
    /// The marker that must be there, once somebody has said so.
    expected: Mutex<Option<StorageId>>,
    /// Locked for as long as it is open; the system lets go even when the process is killed.
    lock: Mutex<File>,
}

impl LocalFs {
    /// Opens (and makes, if missing) the storage at `base`; what a crash left half-written or
    /// half-removed goes. Fails with [`StorageError::InUse`] if another process has it open.
    pub fn open(base: &Path, worker_id: WorkerId) -> Result<Self, StorageError> {
        let base = std::path::absolute(base).map_err(|error| said(base, error))?;
        make_dirs(&base)?;
        let lock = lock::take(&Root::open(&base).map_err(|error| said(&base, error))?, &worker_id)?;
        let staging = Staging::new(base.join(STAGING));
        make_dirs(staging.dir())?;
        staging.sweep()?;
        Ok(Self {
            base,
            worker_id,
            staging,
            expected: Mutex::default(),
            lock: Mutex::new(lock),
        })
    }

    /// What the storage says about itself; `None` if it has no marker.
    pub fn marker(&self) -> Result<Option<Marker>, StorageError> {
        match Root::open(&self.base) {
            Ok(root) => marker::read(&root),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(said(&self.base, error)),
        }
    }

    /// Makes this the storage `id` of its worker, whatever it was before.
    pub fn mark(&self, id: &StorageId) -> Result<(), StorageError> {
        marker::write(&self.base, &Marker::new(id.clone(), self.worker_id.clone()))?;
        self.expect(id);
        Ok(())
    }

    /// From now on only storage `id` is the right one here: see [`LocalFs::check`].
    pub fn expect(&self, id: &StorageId) {
        *held(&self.expected) = Some(id.clone());
    }

    /// Fails with [`StorageError::NotOurs`] while something else than the expected storage lies here, for
    /// instance because its disk is not mounted. When the disk has come back it is locked again.
    pub fn check(&self) -> Result<(), StorageError> {
        self.root().map(drop)
    }

    /// What lies here, if it is the expected storage.
    fn root(&self) -> Result<Root, StorageError> {
        let not_ours = |reason| StorageError::NotOurs {
            place: shown(&self.base),
            reason,
        };
        let root = match Root::open(&self.base) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(not_ours("it does not exist; is its disk mounted?".to_owned()));
            }
            opened => opened.map_err(|error| said(&self.base, error))?,
        };
        let Some(expected) = held(&self.expected).clone() else {
            return Ok(root);
        };
        match marker::read(&root)? {
            Some(marker) if marker.storage_id == expected => self.hold(&root).map(|()| root),
            Some(marker) => Err(not_ours(format!(
                "it is storage {}, and {expected} should be there",
                marker.storage_id
            ))),
            None => Err(not_ours(format!("it has no {MARKER}; is its disk mounted?"))),
        }
    }

    /// The lock and the staging directory of what lies here now.
    fn hold(&self, root: &Root) -> Result<(), StorageError> {
        let mut current = held(&self.lock);
        if !lock::is_current(&current, root) {
            *current = lock::take(root, &self.worker_id)?;
            let made = root.make_dir(Path::new(STAGING));
            made.map_err(|error| said(self.staging.dir(), error))?;
        }
        Ok(())
    }

    /// Removes what crashed attempts left in the staging directory; says how many there were.
    pub fn sweep(&self) -> Result<usize, StorageError> {
        self.staging.sweep()
    }

    /// When a snapshot came to its place on this disk, by the file system's own time.
    pub fn arrived(&self, key: &SnapshotKey) -> Result<DateTime<Utc>, StorageError> {
        let place = self.place(key);
        let meta = fs::metadata(&place).map_err(|error| self.absent(&place, error))?;
        let nanos = u32::try_from(meta.ctime_nsec()).unwrap_or_default();
        Ok(DateTime::from_timestamp(meta.ctime(), nanos).unwrap_or_default())
    }

    fn place(&self, key: &SnapshotKey) -> PathBuf {
        self.base.join(key.prefix())
    }

    /// What the system said about `path`. That a thing is not there counts only on the right disk.
    fn absent(&self, path: &Path, error: io::Error) -> StorageError {
        if error.kind() != io::ErrorKind::NotFound {
            return said(path, error);
        }
        let looked = self.root().and_then(|root| {
            let below = path.strip_prefix(&self.base).unwrap_or(path);
            root.has(below).map_err(|error| said(path, error))
        });
        match looked {
            Ok(false) => said(path, error),
            Ok(true) => StorageError::NotOurs {
                place: shown(&self.base),
                reason: format!("{} was away for a moment; is its disk being mounted?", shown(path)),
            },
            Err(cause) => cause,
        }
    }
}

impl Storage for LocalFs {
    fn stage(&self, key: &SnapshotKey) -> Result<Box<dyn Stage>, StorageError> {
        let target = self.place(key);
        if target.exists() {
            return Err(StorageError::Exists { place: shown(&target) });
        }
        self.check()?;
        let stage = stage::LocalStage::new(
            self.staging.reserve(),
            target,
            key.snapshot_id.clone(),
            self.locator(key),
        )?;
        Ok(Box::new(stage))
    }

    fn open(&self, key: &SnapshotKey, file: ArtifactFile) -> Result<Box<dyn ReadSeek>, StorageError> {
        let path = self.place(key).join(file.name());
        Ok(Box::new(File::open(&path).map_err(|error| self.absent(&path, error))?))
    }

    fn head(&self, key: &SnapshotKey, file: ArtifactFile) -> Result<u64, StorageError> {
        let path = self.place(key).join(file.name());
        Ok(fs::metadata(&path).map_err(|error| self.absent(&path, error))?.len())
    }

    fn list(&self) -> Result<Box<dyn Iterator<Item = Result<SnapshotKey, StorageError>> + Send>, StorageError> {
        self.check()?;
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
        let leaving = self.staging.reserve();
        let leaving = leaving.path();
        let root = self.root()?;
        let below = |path: &Path| path.strip_prefix(&self.base).unwrap_or(path).to_owned();
        // Out of its place first: killed half-way, it never looks whole.
        match root.rename(&below(&place), &below(leaving)) {
            Ok(()) => {}
            Err(error) => match root.has(&below(&place)) {
                Ok(false) => return Ok(()),
                _ => return Err(said(&place, error)),
            },
        }
        if let Some(parent) = place.parent() {
            sync_dir(parent)?;
        }
        fs::remove_dir_all(leaving).map_err(|error| said(leaving, error))?;
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

/// A panic elsewhere does not make these values less true.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
