//! Holding a job: a lease that is renewed while the work goes on, by the database's clock.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use super::row::columns;
use crate::{
    db::{DbError, job_events},
    domain::{
        ids::{JobId, WorkerId},
        job::{Job, Progress},
        job_event::JobEventKind,
    },
};

/// The right to work on a job. A later attempt has another `lease_id`, and then this one is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job_id: JobId,
    /// Who holds it.
    pub worker_id: WorkerId,
    /// Fresh for every attempt.
    pub lease_id: Uuid,
}

/// What a renewal learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The lease holds; somebody may have asked to cancel the job.
    Held {
        /// True if the work shall end.
        cancel_requested: bool,
    },
    /// The job is somebody else's by now, or over: the work is worth nothing.
    Lost,
}

/// Extends the lease and writes down how far the work is.
pub async fn renew(
    conn: &mut PgConnection,
    lease: &Lease,
    lease_for: Duration,
    progress: &Progress,
) -> Result<Renewal, DbError> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let cancel_requested: Option<bool> = sqlx::query_scalar(
        "update jobs set lease_expires_at = now() + make_interval(secs => $3),
             progress_bytes = $4, progress_files = $5, progress_total_bytes = $6
         where id = $1 and lease_id = $2 and state = 'running'
         returning cancel_requested_at is not null",
    )
    .bind(&lease.job_id)
    .bind(lease.lease_id)
    .bind(lease_for.as_secs_f64())
    .bind(number(progress.bytes))
    .bind(number(progress.files))
    .bind(progress.total_bytes.map(number))
    .fetch_optional(conn)
    .await?;
    Ok(match cancel_requested {
        Some(cancel_requested) => Renewal::Held { cancel_requested },
        None => Renewal::Lost,
    })
}

/// Names what the work is doing now. False if the lease is worth nothing any more.
pub async fn enter_phase(conn: &mut PgConnection, lease: &Lease, phase: &str, message: &str) -> Result<bool, DbError> {
    let done = sqlx::query("update jobs set phase = $3 where id = $1 and lease_id = $2 and state = 'running'")
        .bind(&lease.job_id)
        .bind(lease.lease_id)
        .bind(phase)
        .execute(&mut *conn)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    job_events::record(conn, &lease.job_id, JobEventKind::Phase, message).await?;
    Ok(true)
}

/// The job, if this worker holds it under this lease right now. The tenant is the job's own: this is
/// how the hub learns whose secrets a worker may have.
pub async fn held_by(
    conn: &mut PgConnection,
    job_id: &JobId,
    worker_id: &WorkerId,
    lease_id: Uuid,
) -> Result<Option<Job>, DbError> {
    Ok(sqlx::query_as(concat!(
        "select ",
        columns!(),
        " from jobs j where j.id = $1 and j.worker_id = $2 and j.lease_id = $3 and j.state = 'running' \
         and j.lease_expires_at > now()"
    ))
    .bind(job_id)
    .bind(worker_id)
    .bind(lease_id)
    .fetch_optional(conn)
    .await?)
}

/// Ids of the jobs that `worker_id` holds, at most 1,000.
pub async fn running_on(conn: &mut PgConnection, worker_id: &WorkerId) -> Result<Vec<JobId>, DbError> {
    Ok(
        sqlx::query_scalar("select id from jobs where state = 'running' and worker_id = $1 order by id limit 1000")
            .bind(worker_id)
            .fetch_all(conn)
            .await?,
    )
}
