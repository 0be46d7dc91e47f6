//! Where the four files of one snapshot are read from.

use std::{fs::File, path::PathBuf};

use crate::{
    domain::snapshot::{ArtifactFile, SnapshotKey},
    storage::{ReadSeek, Storage, StorageError},
};

/// The four files of one snapshot.
pub trait Files {
    /// Opens one of them at its beginning.
    fn open(&self, file: ArtifactFile) -> Result<Box<dyn ReadSeek>, StorageError>;

    /// What to call the place in messages.
    fn place(&self) -> String;
}

/// A snapshot in a storage.
pub struct Stored<'a> {
    /// The storage.
    pub storage: &'a dyn Storage,
    /// The snapshot.
    pub key: &'a SnapshotKey,
}

impl Files for Stored<'_> {
    fn open(&self, file: ArtifactFile) -> Result<Box<dyn ReadSeek>, StorageError> {
        self.storage.open(self.key, file)
    }

    fn place(&self) -> String {
        format!("snapshot {}", self.key.snapshot_id)
    }
}

/// A snapshot in a plain directory, without any storage around it.
pub struct Directory(pub PathBuf);

impl Files for Directory {
    fn open(&self, file: ArtifactFile) -> Result<Box<dyn ReadSeek>, StorageError> {
        let path = self.0.join(file.name());
        match File::open(&path) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => Err(StorageError::io(path.display().to_string(), error)),
        }
    }

    fn place(&self) -> String {
        self.0.display().to_string()
    }
}
