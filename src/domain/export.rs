//! Exports: a restore made ready for download.

use chrono::{DateTime, Utc};

use super::{
    ids::{ExportId, JobId, SnapshotId, TenantId, WorkerId},
    job::ExportFormat,
};

/// What a finished restore tells the catalogue.
#[derive(Debug, Clone)]
pub struct NewExport {
    /// Its id, chosen when the restore was ordered.
    pub id: ExportId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The restore that made it.
    pub job_id: JobId,
    /// What it was made from.
    pub snapshot_id: SnapshotId,
    /// The worker that has the file.
    pub worker_id: WorkerId,
    /// Its form.
    pub format: ExportFormat,
    /// Name the browser shall save it under.
    pub file_name: String,
    /// SHA-256 of the download token.
    pub token_hash: Vec<u8>,
    /// Length of the download in bytes.
    pub bytes: u64,
    /// SHA-256 of the download, lower-case hex.
    pub sha256: String,
}

/// An export as catalogued.
#[derive(Debug, Clone)]
pub struct Export {
    /// What the restore told.
    pub new: NewExport,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When the link dies.
    pub expires_at: DateTime<Utc>,
    /// When it was downloaded completely; the link is dead since then.
    pub downloaded_at: Option<DateTime<Utc>>,
}

impl Export {
    /// True while its link works.
    pub fn is_available(&self, now: DateTime<Utc>) -> bool {
        self.downloaded_at.is_none() && now < self.expires_at
    }
}
