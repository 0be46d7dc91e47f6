//! Snapshots: one stored backup and where it lies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    dump::DumpFile,
    ids::{JobId, SnapshotId, SourceId, TenantId, WorkerId},
    job::{Warnings, text_enum},
    restore_proof::RestoreProof,
};

text_enum! {
    /// What is known of a snapshot.
    SnapshotState {
        /// Stored, nothing known to be missing.
        Complete = "complete",
        /// Stored; some of what was asked for could not be read.
        Partial = "partial",
        /// Its files are not what was stored; its `fault` says how.
        Damaged = "damaged",
        /// Its files are not where they should be.
        Missing = "missing",
        /// Its files are being removed.
        Deleting = "deleting",
    }
}

text_enum! {
    /// What a successful verification looked at.
    VerifyDepth {
        /// Every entry, decrypted and compared with the index, and every byte of content.
        Content = "content",
        /// The stored files' lengths and hashes: the tenant keeps the key, so nobody here can look inside.
        Hashes = "hashes",
    }
}

/// The artifact files of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArtifactFile {
    /// `backup.tar.zst.enc`
    Backup,
    /// `index.enc`
    Index,
    /// `manifest.json`
    Manifest,
    /// `meta.json`
    Meta,
}

impl ArtifactFile {
    /// All of them, in the order they are finished.
    pub const ALL: &'static [ArtifactFile] = &[Self::Backup, Self::Index, Self::Manifest, Self::Meta];

    /// Its file name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup.tar.zst.enc",
            Self::Index => "index.enc",
            Self::Manifest => "manifest.json",
            Self::Meta => "meta.json",
        }
    }
}

/// Whose snapshot, of what, and which: everything its place is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SnapshotKey {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The source.
    pub source_id: SourceId,
    /// The snapshot.
    pub snapshot_id: SnapshotId,
}

impl SnapshotKey {
    /// `tenants/{tenant_id}/sources/{source_id}/snapshots/{snapshot_id}`: the place below a storage's base.
    pub fn prefix(&self) -> String {
        format!(
            "tenants/{}/sources/{}/snapshots/{}",
            self.tenant_id, self.source_id, self.snapshot_id
        )
    }
}

/// Where a snapshot lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "storage_backend", rename_all = "snake_case")]
pub enum Locator {
    /// A directory on one worker's disk.
    LocalFs {
        /// The worker that has the disk.
        worker_id: WorkerId,
        /// Absolute path of the snapshot's directory.
        local_path: String,
    },
}

impl std::fmt::Display for Locator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LocalFs { local_path, .. } => f.write_str(local_path),
        }
    }
}

/// How an artifact is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Encryption {
    /// `age-v1 (X25519, ChaCha20-Poly1305)`
    pub algorithm: String,
    /// The age recipients (public keys, `age1…`) that can open it.
    pub recipients: Vec<String>,
}

/// What a finished backup tells the catalogue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewSnapshot {
    /// Its place in the world.
    pub key: SnapshotKey,
    /// The job that made it.
    pub job_id: JobId,
    /// [`SnapshotState::Complete`] or [`SnapshotState::Partial`].
    pub state: SnapshotState,
    /// Bytes of file content captured.
    pub bytes_source: u64,
    /// Bytes of the four artifact files.
    pub bytes_stored: u64,
    /// Entries of any kind.
    pub files: u64,
    /// SHA-256 of `backup.tar.zst.enc`, lower-case hex.
    pub sha256: String,
    /// SHA-256 of `manifest.json`, lower-case hex.
    pub manifest_sha256: String,
    /// Where it lies.
    pub locator: Locator,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// The age header of `backup.tar.zst.enc`: lets the hub unwrap this one file's key.
    pub backup_header: Vec<u8>,
    /// The age header of `index.enc`.
    pub index_header: Vec<u8>,
    /// What is worth telling.
    pub warnings: Warnings,
    /// The dumps of databases in it, at most [`MAX_LISTED`](super::dump::MAX_LISTED).
    pub dumps: Vec<DumpFile>,
}

/// A snapshot as catalogued.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What the backup told.
    pub new: NewSnapshot,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// Pinned snapshots are never removed by retention.
    pub pinned: bool,
    /// When it was last verified successfully.
    pub verified_at: Option<DateTime<Utc>>,
    /// What that looked at.
    pub verified_depth: Option<VerifyDepth>,
    /// When its dumps were last loaded into a server and found to be what was dumped.
    pub restore_proof: Option<RestoreProof>,
    /// Why it is [`SnapshotState::Damaged`] or [`SnapshotState::Missing`], in words.
    pub fault: Option<String>,
}
