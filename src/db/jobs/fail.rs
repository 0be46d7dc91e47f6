//! How an attempt ends that did not reach its goal, reported by the worker that holds the lease.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::lease::Lease;
use crate::{
    db::{DbError, job_events},
    domain::{
        error_code::ErrorCode,
        job::{JobError, JobState},
        job_event::JobEventKind,
    },
};

/// Tries at a busy server that together count as one attempt.
const DEFERRALS_PER_ATTEMPT: i32 = 5;

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

/// When and where an attempt that failed may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Not before this pause is over. A server that is busy is left alone by everybody until then.
    pub after: Duration,
    /// Only by a worker with so much free disk; `None` if that was not the cause.
    pub needs_free_bytes: Option<u64>,
}

impl Retry {
    /// Anywhere, after this pause.
    pub fn after(pause: Duration) -> Self {
        Self {
            after: pause,
            needs_free_bytes: None,
        }
    }
}

/// A job in the hands of the one who reports.
#[derive(sqlx::FromRow)]
struct Held {
    attempt: i32,
    max_attempts: i32,
    deferrals: i32,
    cancel_requested: bool,
    queue: String,
    host: Option<String>,
}

/// Ends an attempt that failed: transient causes go back to the queue as `retry` says while attempts are
/// left, a requested cancellation ends as `cancelled`, everything else as `failed`. A busy server is noted
/// for all jobs, and costs a fifth of an attempt: the job may be tried that much more often.
pub async fn fail(
    conn: &mut PgConnection,
    lease: &Lease,
    error: &JobError,
    retry: &Retry,
) -> Result<AfterFailure, DbError> {
    let held: Option<Held> = sqlx::query_as(
        "select attempt, max_attempts, deferrals, cancel_requested_at is not null as cancel_requested, queue, host \
         from jobs where id = $1 and lease_id = $2 and state = 'running' for update",
    )
    .bind(&lease.job_id)
    .bind(lease.lease_id)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(mut held) = held else {
        return Ok(AfterFailure::Refused);
    };
    let busy = error.code == ErrorCode::SourceBusy;
    if let (true, Some(host)) = (busy, &held.host) {
        hold_off(conn, host, retry.after).await?;
    }
    if error.code == ErrorCode::Cancelled || held.cancel_requested {
        end(conn, lease, JobState::Cancelled, None).await?;
        let message = "Cancelled; nothing half-done was left behind";
        job_events::record(conn, &lease.job_id, JobEventKind::Cancelled, message).await?;
        return Ok(AfterFailure::Cancelled);
    }
    if busy {
        held.deferrals += 1;
        held.max_attempts += i32::from(held.deferrals % DEFERRALS_PER_ATTEMPT != 0);
    }
    if error.is_transient() && held.attempt < held.max_attempts {
        requeue(conn, lease, error, retry, held).await
    } else {
        end(conn, lease, JobState::Failed, Some(error)).await?;
        let message = match error.is_transient() {
            true => format!("Gave up after {} attempts: {}", held.attempt, error.message),
            false => error.message.clone(),
        };
        job_events::record(conn, &lease.job_id, JobEventKind::Failed, &message).await?;
        Ok(AfterFailure::Failed)
    }
}

async fn requeue(
    conn: &mut PgConnection,
    lease: &Lease,
    error: &JobError,
    retry: &Retry,
    held: Held,
) -> Result<AfterFailure, DbError> {
    let run_at: DateTime<Utc> = sqlx::query_scalar(
        "update jobs set state = 'queued', run_at = now() + make_interval(secs => $2), phase = null, \
             lease_id = null, lease_expires_at = null, error_code = $3, error_message = $4, error_hint = $5, \
             deferrals = $6, max_attempts = $7, needs_free_bytes = $8 \
         where id = $1 returning run_at",
    )
    .bind(&lease.job_id)
    .bind(retry.after.as_secs_f64())
    .bind(error.code)
    .bind(&error.message)
    .bind(&error.hint)
    .bind(held.deferrals)
    .bind(held.max_attempts)
    .bind(retry.needs_free_bytes.map(|n| i64::try_from(n).unwrap_or(i64::MAX)))
    .fetch_one(&mut *conn)
    .await?;
    let message = format!(
        "Attempt {} of {} failed: {} Next attempt in about {} s",
        held.attempt,
        held.max_attempts,
        sentence(&error.message),
        retry.after.as_secs()
    );
    job_events::record(conn, &lease.job_id, JobEventKind::Retry, &message).await?;
    Ok(AfterFailure::Retry {
        queue: held.queue,
        run_at,
    })
}

/// Notes that a server has too many connections. A later end of the pause stands.
async fn hold_off(conn: &mut PgConnection, host: &str, pause: Duration) -> Result<(), DbError> {
    sqlx::query(
        "insert into busy_hosts as b (host, busy_at, hold_until) values ($1, now(), now() + make_interval(secs => $2)) \
         on conflict (host) do update set busy_at = excluded.busy_at, \
             hold_until = greatest(b.hold_until, excluded.hold_until)",
    )
    .bind(host)
    .bind(pause.as_secs_f64())
    .execute(conn)
    .await?;
    Ok(())
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
