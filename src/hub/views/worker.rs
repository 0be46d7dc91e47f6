//! A worker as the platform's administrator sees it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{
    ids::{JobId, TenantId, WorkerId},
    job::{JobKind, Progress},
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
    /// Since when it shall take no new backups and probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_requested_at: Option<DateTime<Utc>>,
    /// Since when its process has not been there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_since: Option<DateTime<Utc>>,
    /// When it was retired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<DateTime<Utc>>,
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
            gone_since: (!worker.is_online(now)).then(|| worker.gone_since()),
            id: worker.id,
            hostname: worker.hostname,
            version: worker.version,
            paused_reason: worker.paused_reason,
            drain_requested_at: worker.drain_requested_at,
            retired_at: worker.retired_at,
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

/// A worker with everything that depends on it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WorkerDetailView {
    /// The worker.
    #[serde(flatten)]
    pub worker: WorkerView,
    /// Where people reach its downloads.
    pub url: String,
    /// What it runs now.
    pub running_jobs: Vec<RunningJobView>,
    /// What waits for it, because only it has the data.
    pub waiting: Vec<WaitingJobsView>,
    /// What only it has, by tenant.
    pub holds: Vec<HeldView>,
}

/// A job that a worker runs, as far as an administrator of the platform may know.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunningJobView {
    /// The job.
    pub id: JobId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The tenant's name.
    pub tenant_name: String,
    /// What it does.
    pub kind: JobKind,
    /// Which attempt this is.
    pub attempt: i32,
    /// What it is doing just now.
    pub phase: Option<String>,
    /// How far it is.
    pub progress: Progress,
    /// When the attempt began.
    pub started_at: Option<DateTime<Utc>>,
}

/// Jobs of one tenant and kind that wait for one worker.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WaitingJobsView {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name.
    pub tenant_name: String,
    /// What they do.
    pub kind: JobKind,
    /// How many.
    pub jobs: u64,
    /// When the first of them was ordered.
    pub oldest: DateTime<Utc>,
}

/// Snapshots of one tenant that lie with one worker.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HeldView {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name.
    pub tenant_name: String,
    /// How many snapshots.
    pub snapshots: u64,
    /// Bytes they take.
    pub bytes_stored: u64,
}

/// What the retirement of a worker did.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RetiredView {
    /// The worker.
    pub worker: WorkerView,
    /// Snapshots that are `missing` now.
    pub snapshots_missing: u64,
    /// Waiting jobs that failed with `worker_retired`.
    pub jobs_failed: u64,
    /// Waiting deletions that another worker ends.
    pub deletions_moved: u64,
}
