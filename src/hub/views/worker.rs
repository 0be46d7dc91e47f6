//! A worker as the platform's administrator sees it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{
    ids::WorkerId,
    worker::{Worker, WorkerState},
};

/// A process of the data plane.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WorkerView {
    /// Its lasting id.
    pub id: WorkerId,
    /// Its host.
    pub hostname: String,
    /// Its version.
    pub version: String,
    /// How it is.
    pub state: WorkerState,
    /// Why it takes no backups just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_reason: Option<String>,
    /// When it was first heard of.
    pub first_seen_at: DateTime<Utc>,
    /// When it was last heard of.
    pub last_seen_at: DateTime<Utc>,
    /// Jobs it runs now.
    pub running: i32,
    /// Jobs it runs at most.
    pub concurrency: i32,
    /// Its storage, as last reported.
    pub storage: StorageView,
    /// What it found when it last compared its disk with the catalogue.
    pub disk: DiskView,
}

/// Room for backups.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct StorageView {
    /// All of it, in bytes.
    pub total_bytes: Option<i64>,
    /// What is left, in bytes.
    pub free_bytes: Option<i64>,
}

/// What lies on a worker's disk beside what the catalogue expects there.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct DiskView {
    /// When it last looked.
    pub reconciled_at: Option<DateTime<Utc>>,
    /// Snapshots that no job stands behind; they are removed when they are older than `XVAULT_ORPHAN_GRACE`.
    pub orphans: i32,
    /// How many such it has removed so far.
    pub orphans_removed: i64,
    /// Snapshots the catalogue has lost; `xvault recover` enters them again.
    pub unclaimed: i32,
}

impl WorkerView {
    /// A worker as seen at `now`.
    pub fn new(worker: Worker, now: DateTime<Utc>) -> Self {
        Self {
            state: worker.state(now),
            id: worker.id,
            hostname: worker.hostname,
            version: worker.version,
            paused_reason: worker.paused_reason,
            first_seen_at: worker.first_seen_at,
            last_seen_at: worker.last_seen_at,
            running: worker.running,
            concurrency: worker.concurrency,
            storage: StorageView {
                total_bytes: worker.storage_total_bytes,
                free_bytes: worker.storage_free_bytes,
            },
            disk: DiskView {
                reconciled_at: worker.disk.reconciled_at,
                orphans: worker.disk.orphans,
                orphans_removed: worker.disk.orphans_removed,
                unclaimed: worker.disk.unclaimed,
            },
        }
    }
}
