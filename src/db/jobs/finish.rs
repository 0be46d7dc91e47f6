//! The end of a job that reached its goal, reported by the worker that holds the lease.

use sqlx::{PgConnection, types::Json};

use super::lease::Lease;
use crate::{
    db::DbError,
    domain::{
        ids::SnapshotId,
        job::{JobState, Progress, Warnings},
        job_event::JobEventKind,
    },
};

/// What a job that reached its goal leaves behind.
#[derive(Debug, Clone)]
pub struct Finished {
    /// True if something that was asked for is missing from the result.
    pub partial: bool,
    /// The snapshot a backup made; `None` keeps what the job names.
    pub snapshot_id: Option<SnapshotId>,
    /// What it found or made. Never a secret.
    pub result: serde_json::Value,
    /// What is worth telling.
    pub warnings: Warnings,
    /// The final figures.
    pub progress: Progress,
    /// The end in a sentence.
    pub message: String,
}

/// Ends a job that reached its goal. False if the lease is worth nothing any more: then the caller
/// removes what it stored.
pub async fn finish(conn: &mut PgConnection, lease: &Lease, end: &Finished) -> Result<bool, DbError> {
    let (state, kind) = match end.partial {
        true => (JobState::Partial, JobEventKind::Partial),
        false => (JobState::Succeeded, JobEventKind::Succeeded),
    };
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let done = sqlx::query(
        "with done as (
             update jobs set state = $3, snapshot_id = coalesce($4, snapshot_id), result = $5, warnings = $6,
                 progress_bytes = $7, progress_files = $8, progress_total_bytes = $9,
                 finished_at = now(), phase = null, lease_id = null, lease_expires_at = null
             where id = $1 and lease_id = $2 and state = 'running' returning id, attempt
         )
         insert into job_events (job_id, attempt, kind, message) select id, attempt, $10, $11 from done",
    )
    .bind(&lease.job_id)
    .bind(lease.lease_id)
    .bind(state)
    .bind(&end.snapshot_id)
    .bind(&end.result)
    .bind(Json(&end.warnings))
    .bind(number(end.progress.bytes))
    .bind(number(end.progress.files))
    .bind(end.progress.total_bytes.map(number))
    .bind(kind.as_str())
    .bind(&end.message)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
