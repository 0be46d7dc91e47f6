//! Where artifacts lie: a narrow trait and one module per backend.
//!
//! Blocking on purpose: artifacts are written and read by threads that also compress and encrypt.

use std::io::{self, Read, Seek, Write};

use crate::domain::{
    error_code::ErrorCode,
    ids::SnapshotId,
    job::JobError,
    snapshot::{ArtifactFile, Locator, SnapshotKey},
};

pub mod local_fs;

/// Why a storage operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// No space, or quota used up.
    #[error("the storage at {place} is full")]
    Full {
        /// Directory or bucket.
        place: String,
    },
    /// The snapshot or file is not there.
    #[error("{place} does not exist")]
    NotFound {
        /// Path or object.
        place: String,
    },
    /// Something stands where the snapshot should go.
    #[error("{place} already exists")]
    Exists {
        /// Path or object.
        place: String,
    },
    /// Another process has the storage open.
    #[error("the storage at {place} is in use by {holder}")]
    InUse {
        /// Directory or bucket.
        place: String,
        /// The other process, as far as it said who it is.
        holder: String,
    },
    /// Something else lies where the storage should be: a disk that is not mounted, or another one.
    #[error("{place} is not the storage it should be: {reason}")]
    NotOurs {
        /// Directory or bucket.
        place: String,
        /// How that shows.
        reason: String,
    },
    /// Anything else the system said.
    #[error("{place}: {source}")]
    Io {
        /// Path or object.
        place: String,
        /// What the system said.
        source: io::Error,
    },
}

impl StorageError {
    /// What the system said about `place`.
    pub fn io(place: impl Into<String>, error: io::Error) -> Self {
        let place = place.into();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { place },
            io::ErrorKind::NotFound => Self::NotFound { place },
            _ => Self::Io { place, source: error },
        }
    }
}

impl From<StorageError> for JobError {
    fn from(error: StorageError) -> Self {
        let message = error.to_string();
        let (code, hint) = match error {
            StorageError::Full { .. } => (
                ErrorCode::StorageFull,
                "free some space or add a worker with more; the job is tried again by itself",
            ),
            StorageError::NotFound { .. } => (
                ErrorCode::SnapshotMissing,
                "somebody removed or moved it outside of xVault; put it back from a copy, or delete the snapshot here",
            ),
            StorageError::NotOurs { .. } => (
                ErrorCode::StorageFailed,
                "mount the disk of the worker's storage directory; the job is tried again by itself",
            ),
            StorageError::Exists { .. } | StorageError::InUse { .. } | StorageError::Io { .. } => (
                ErrorCode::StorageFailed,
                "look at the worker's disk and at the rights of its storage directory",
            ),
        };
        Self::new(code, message, hint)
    }
}

/// Something that can be read from any offset.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// A place for artifacts.
pub trait Storage: Send + Sync {
    /// Opens a stage for a new snapshot, invisible until [`Stage::commit`].
    fn stage(&self, key: &SnapshotKey) -> Result<Box<dyn Stage>, StorageError>;

    /// Opens one file of a snapshot; each read fetches only what it asks for.
    fn open(&self, key: &SnapshotKey, file: ArtifactFile) -> Result<Box<dyn ReadSeek>, StorageError>;

    /// Length of one file of a snapshot in bytes.
    fn head(&self, key: &SnapshotKey, file: ArtifactFile) -> Result<u64, StorageError>;

    /// Every snapshot stored here, in no order.
    fn list(&self) -> Result<Box<dyn Iterator<Item = Result<SnapshotKey, StorageError>> + Send>, StorageError>;

    /// Removes a snapshot whole; it is no error if it is gone already.
    fn delete(&self, key: &SnapshotKey) -> Result<(), StorageError>;

    /// Where `key` lies or would lie.
    fn locator(&self, key: &SnapshotKey) -> Locator;

    /// Total and free bytes, if the backend can tell.
    fn space(&self) -> Result<Option<(u64, u64)>, StorageError>;
}

/// A snapshot being written. Dropped without [`Stage::commit`], it leaves nothing behind.
pub trait Stage: Send {
    /// Starts one of the artifact's files.
    fn create(&mut self, file: ArtifactFile) -> Result<Box<dyn Write + Send>, StorageError>;

    /// Makes everything durable, then visible at its final place in one step.
    fn commit(self: Box<Self>) -> Result<Locator, StorageError>;

    /// The snapshot being written.
    fn snapshot_id(&self) -> &SnapshotId;

    /// Where the snapshot will lie once committed.
    fn locator(&self) -> Locator;
}
