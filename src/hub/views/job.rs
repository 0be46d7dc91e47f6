//! A job as its tenant sees it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{
    ids::{JobId, SnapshotId, SourceId, WorkerId},
    job::{JobError, JobKind, JobState, Progress, Warnings},
    job_event::JobEventKind,
    worker::WorkerState,
};

/// One unit of work.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// The source it is about.
    pub source_id: SourceId,
    /// The source's name.
    pub source_name: String,
    /// The snapshot it reads, or (a backup) made.
    pub snapshot_id: Option<SnapshotId>,
    /// The worker that holds or last held it.
    pub worker_id: Option<WorkerId>,
    /// Attempts begun so far.
    pub attempt: i32,
    /// Attempts allowed.
    pub max_attempts: i32,
    /// What it is doing just now: `connecting`, `transferring`, `finishing`, …
    pub phase: Option<String>,
    /// How far it is.
    pub progress: Progress,
    /// Why it, or its last attempt, failed.
    pub error: Option<JobError>,
    /// What is worth telling.
    pub warnings: Warnings,
    /// What it found (a probe) or made. Of a succeeded restore: `export_id`, `bytes`, `sha256`, `expires_at`,
    /// `download_state` (`ready`, `downloaded`, `expired` or `hidden`) and `download_url`, which is null unless
    /// the state is `ready`.
    pub result: Option<serde_json::Value>,
    /// True once somebody asked to cancel it.
    pub cancel_requested: bool,
    /// The worker whose disk this job needs, while that worker is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// Not before this time; set while it waits for its next attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<DateTime<Utc>>,
    /// When it was ordered.
    pub created_at: DateTime<Utc>,
    /// When the current or last attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A worker that is away while a job needs its disk.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WaitingFor {
    /// The worker.
    pub worker_id: WorkerId,
    /// Its host.
    pub hostname: String,
    /// `away` (it fell silent) or `stopped`.
    pub state: WorkerState,
    /// Since when it is away.
    pub since: DateTime<Utc>,
    /// When it was last heard of.
    pub last_seen_at: DateTime<Utc>,
}

/// Something that happened to a job.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobEventView {
    /// Counts up; the `id` of the live stream's events.
    pub seq: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// During which attempt.
    pub attempt: i32,
    /// What it was.
    pub kind: JobEventKind,
    /// In words.
    pub message: String,
}
