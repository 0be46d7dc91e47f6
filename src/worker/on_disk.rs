//! What the files of a snapshot themselves say about it, without any key.

use std::io::Read;

use serde::de::DeserializeOwned;

use super::jobs::storage_error;
use crate::{
    artifact::{Manifest, Meta},
    domain::{
        error_code::ErrorCode,
        ids::JobId,
        job::JobError,
        snapshot::{ArtifactFile, SnapshotKey, SnapshotState},
    },
    storage::Storage,
};

/// Longest manifest or meta file that is read, in bytes.
const MAX_JSON: u64 = 4 * 1024 * 1024;

/// `complete` or `partial`, as it was when the snapshot was made.
pub fn stored_state(storage: &dyn Storage, key: &SnapshotKey) -> Result<SnapshotState, JobError> {
    read::<Manifest>(storage, key, ArtifactFile::Manifest).map(|manifest| manifest.state)
}

/// The job that made the snapshot.
pub fn made_by(storage: &dyn Storage, key: &SnapshotKey) -> Result<JobId, JobError> {
    read::<Meta>(storage, key, ArtifactFile::Meta).map(|meta| meta.job_id)
}

fn read<T: DeserializeOwned>(storage: &dyn Storage, key: &SnapshotKey, file: ArtifactFile) -> Result<T, JobError> {
    let reader = storage.open(key, file).map_err(storage_error)?;
    serde_json::from_reader(std::io::BufReader::new(reader.take(MAX_JSON))).map_err(|error| {
        JobError::new(
            ErrorCode::SnapshotDamaged,
            format!("{} of snapshot {} is damaged: {error}", file.name(), key.snapshot_id),
            "Restore the file from a copy of the disk, or delete the snapshot",
        )
    })
}
