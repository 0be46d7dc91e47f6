//! A snapshot as its tenant sees it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{
    dump::DumpFile,
    ids::{JobId, SnapshotId, SourceId},
    job::Warnings,
    restore_proof::RestoreProof,
    snapshot::{Encryption, Locator, Snapshot, SnapshotState, VerifyDepth},
};

/// One stored backup.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SnapshotView {
    /// Its id.
    pub id: SnapshotId,
    /// The source it was taken of.
    pub source_id: SourceId,
    /// The source's name.
    pub source_name: String,
    /// The job that made it.
    pub job_id: JobId,
    /// What is known of it.
    pub state: SnapshotState,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// Bytes of file content captured.
    pub bytes_source: u64,
    /// Bytes stored.
    pub bytes_stored: u64,
    /// Entries of any kind.
    pub files: u64,
    /// SHA-256 of the artifact, lower-case hex.
    pub sha256: String,
    /// Where it lies.
    pub locator: Locator,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// Pinned snapshots are never removed by retention.
    pub pinned: bool,
    /// What is worth telling.
    pub warnings: Warnings,
    /// The dumps of databases in it, at most 200. Empty also where the catalogue's row was rebuilt from the disk.
    pub dumps: Vec<DumpFile>,
    /// When it was last verified successfully.
    pub verified_at: Option<DateTime<Utc>>,
    /// What that looked at: `content` is everything inside; `hashes` are those of the stored files, where
    /// the tenant keeps its key itself.
    pub verified_depth: Option<VerifyDepth>,
    /// When its dumps were last loaded into a throw-away server and found to be what was dumped.
    pub restore_proof: Option<RestoreProof>,
    /// Why it is `damaged` or `missing`, in words.
    pub fault: Option<String>,
}

impl SnapshotView {
    /// A snapshot with the name of its source.
    pub fn new(snapshot: Snapshot, source_name: String) -> Self {
        let Snapshot {
            new,
            created_at,
            pinned,
            verified_at,
            verified_depth,
            restore_proof,
            fault,
        } = snapshot;
        Self {
            id: new.key.snapshot_id,
            source_id: new.key.source_id,
            source_name,
            job_id: new.job_id,
            state: new.state,
            created_at,
            bytes_source: new.bytes_source,
            bytes_stored: new.bytes_stored,
            files: new.files,
            sha256: new.sha256,
            locator: new.locator,
            encryption: new.encryption,
            pinned,
            warnings: new.warnings,
            dumps: new.dumps,
            verified_at,
            verified_depth,
            restore_proof,
            fault,
        }
    }
}
