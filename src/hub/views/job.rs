//! A job as its tenant sees it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    db::jobs::HeldBack,
    domain::{
        error_code::ErrorCode,
        ids::{JobId, SnapshotId, SourceId, WorkerId},
        job::{HeldBy, JobError, JobKind, JobState, Progress, Warnings},
        job_event::JobEventKind,
        worker::WorkerState,
    },
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
    /// The source that a restore writes to, and whether it is a dry run; absent for every other job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<RestoreTarget>,
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
    /// `download_state` (`ready`, `downloaded`, `expired` or `hidden`), `download_url`, which is null unless the
    /// state is `ready`, and `load`: for each chosen dump `what` and the `command` that loads it. Of a restore to a
    /// server a `RestoreReport`.
    pub result: Option<serde_json::Value>,
    /// True once somebody asked to cancel it.
    pub cancel_requested: bool,
    /// The worker whose disk this job needs, while that worker is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// What holds it back although it is due and workers may be free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_back: Option<HeldBackView>,
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

/// Where a restore to a server goes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RestoreTarget {
    /// The source that is written to.
    pub source_id: SourceId,
    /// Its name.
    pub source_name: String,
    /// True if nothing is changed.
    pub dry_run: bool,
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

/// Why a due job waits, for programs and for people.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HeldBackView {
    /// The reason.
    pub reason: HeldBy,
    /// The same in a sentence.
    pub message: String,
    /// When the reason ends, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

impl From<HeldBack> for HeldBackView {
    fn from(held: HeldBack) -> Self {
        let host = held.host.as_deref().unwrap_or("The server");
        let message = match held.by {
            HeldBy::HostBusy => format!("{host} has too many connections and is left alone for a while."),
            HeldBy::HostLimit => format!("As many jobs as allowed run on {host} already."),
            HeldBy::TenantLimit => "As many jobs of this organisation run as are allowed at once.".to_owned(),
            HeldBy::StorageFull => format!(
                "It did not fit, and no worker has {} MiB of free disk for it just now.",
                held.needs_free_bytes.unwrap_or(0) >> 20
            ),
        };
        Self {
            reason: held.by,
            message,
            until: held.until,
        }
    }
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
    /// Of what the attempt failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub error_code: Option<ErrorCode>,
}
