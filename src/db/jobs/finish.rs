//! How an attempt ends: the report of the worker that holds the lease.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

use super::lease::Lease;
use crate::{
    db::{DbError, job_events},
    domain::{
        error_code::ErrorCode,
        ids::SnapshotId,
        job::{JobError, JobState, Progress, Warnings},
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
        "update jobs set state = $3, snapshot_id = coalesce($4, snapshot_id), result = $5, warnings = $6, \
             progress_bytes = $7, progress_files = $8, progress_total_bytes = $9, \
             finished_at = now(), phase = null, lease_id = null, lease_expires_at = null \
         where id = $1 and lease_id = $2 and state = 'running'",
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
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    job_events::record(conn, &lease.job_id, kind, &end.message).await?;
    Ok(true)
}

/// What became of a job whose attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterFailure {
    /// The lease is worth nothing any more; nothing was changed.
    Refused,
    /// It is queued again, not before this time. The caller owes its queue a ticket.
    Retry {
        /// The queue it waits in.
        queue: String,
        /// When it may run.
        run_at: DateTime<Utc>,
    },
    /// It failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// Ends an attempt that failed: transient causes go back to the queue after `retry_after` while
/// attempts are left, a requested cancellation ends as `cancelled`, everything else as `failed`.
pub async fn fail(
    conn: &mut PgConnection,
    lease: &Lease,
    error: &JobError,
    retry_after: Duration,
) -> Result<AfterFailure, DbError> {
    let held: Option<(i32, i32, bool, String)> = sqlx::query_as(
        "select attempt, max_attempts, cancel_requested_at is not null, queue from jobs \
         where id = $1 and lease_id = $2 and state = 'running' for update",
    )
    .bind(&lease.job_id)
    .bind(lease.lease_id)
    .fetch_optional(&mut *conn)
    .await?;
    let Some((attempt, max_attempts, cancel_requested, queue)) = held else {
        return Ok(AfterFailure::Refused);
    };
    if error.code == ErrorCode::Cancelled || cancel_requested {
        end(conn, lease, JobState::Cancelled, None).await?;
        let message = "Cancelled; nothing was left behind";
        job_events::record(conn, &lease.job_id, JobEventKind::Cancelled, message).await?;
        return Ok(AfterFailure::Cancelled);
    }
    if !error.code.is_transient() || attempt >= max_attempts {
        end(conn, lease, JobState::Failed, Some(error)).await?;
        let message = match error.code.is_transient() {
            true => format!("Gave up after {attempt} attempts: {}", error.message),
            false => error.message.clone(),
        };
        job_events::record(conn, &lease.job_id, JobEventKind::Failed, &message).await?;
        return Ok(AfterFailure::Failed);
    }
    let run_at: DateTime<Utc> = sqlx::query_scalar(
        "update jobs set state = 'queued', run_at = now() + make_interval(secs => $2), phase = null, \
             lease_id = null, lease_expires_at = null, error_code = $3, error_message = $4, error_hint = $5 \
         where id = $1 returning run_at",
    )
    .bind(&lease.job_id)
    .bind(retry_after.as_secs_f64())
    .bind(error.code)
    .bind(&error.message)
    .bind(&error.hint)
    .fetch_one(&mut *conn)
    .await?;
    let message = format!(
        "Attempt {attempt} of {max_attempts} failed: {} Next attempt in about {} s",
        sentence(&error.message),
        retry_after.as_secs()
    );
    job_events::record(conn, &lease.job_id, JobEventKind::Retry, &message).await?;
    Ok(AfterFailure::Retry { queue, run_at })
}

/// Gives a job back unharmed (the worker shuts down): it is due at once and the attempt does not
/// count. Returns what the caller owes, like [`fail`].
pub async fn hand_back(conn: &mut PgConnection, lease: &Lease, why: &str) -> Result<AfterFailure, DbError> {
    let row: Option<(String, DateTime<Utc>, bool)> = sqlx::query_as(
        "update jobs set state = case when cancel_requested_at is null then 'queued' else 'cancelled' end, \
             finished_at = case when cancel_requested_at is null then null else now() end, \
             attempt = attempt - 1, run_at = now(), phase = null, lease_id = null, lease_expires_at = null \
         where id = $1 and lease_id = $2 and state = 'running' \
         returning queue, run_at, cancel_requested_at is not null",
    )
    .bind(&lease.job_id)
    .bind(lease.lease_id)
    .fetch_optional(&mut *conn)
    .await?;
    let Some((queue, run_at, cancelled)) = row else {
        return Ok(AfterFailure::Refused);
    };
    if cancelled {
        job_events::record(conn, &lease.job_id, JobEventKind::Cancelled, "Cancelled").await?;
        return Ok(AfterFailure::Cancelled);
    }
    job_events::record(conn, &lease.job_id, JobEventKind::HandedBack, why).await?;
    Ok(AfterFailure::Retry { queue, run_at })
}

/// The last word about a job that did not reach its goal; the row is locked by the caller.
async fn end(conn: &mut PgConnection, lease: &Lease, state: JobState, error: Option<&JobError>) -> Result<(), DbError> {
    sqlx::query(
        "update jobs set state = $2, finished_at = now(), phase = null, lease_id = null, lease_expires_at = null, \
             error_code = $3, error_message = $4, error_hint = $5 where id = $1",
    )
    .bind(&lease.job_id)
    .bind(state)
    .bind(error.map(|e| e.code))
    .bind(error.map(|e| &e.message))
    .bind(error.map(|e| &e.hint))
    .execute(conn)
    .await?;
    Ok(())
}

/// `text` with a full stop.
fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches(['.', ' ']))
}
