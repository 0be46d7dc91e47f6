//! Jobs whose worker went silent: their lease ran out.

use std::time::Duration;

use sqlx::PgConnection;

use crate::{
    db::{DbError, job_events},
    domain::{error_code::ErrorCode, ids::JobId, ids::WorkerId, job_event::JobEventKind},
};

/// One job taken from a silent worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaped {
    /// The job.
    pub job_id: JobId,
    /// The queue it waits in again, which is owed a ticket; `None` if it is over.
    pub requeued_in: Option<String>,
}

/// Takes up to `limit` jobs with expired leases from their workers: back to the queue while attempts
/// are left, `cancelled` if that was asked for, else `failed` with `worker_lost`. Several hubs may do
/// this at once; each job is taken by one.
///
/// Nothing is taken until the database server has been up for `settling`: after a restart of it,
/// workers that are fine need a moment to renew what ran out meanwhile.
pub async fn reap(conn: &mut PgConnection, limit: i64, settling: Duration) -> Result<Vec<Reaped>, DbError> {
    let expired: Vec<(JobId, Option<WorkerId>, String, i32, i32, bool)> = sqlx::query_as(
        "select id, worker_id, queue, attempt, max_attempts, cancel_requested_at is not null from jobs \
         where state = 'running' and lease_expires_at < now() \
           and pg_postmaster_start_time() < now() - make_interval(secs => $2) \
         order by lease_expires_at limit $1 for update skip locked",
    )
    .bind(limit)
    .bind(settling.as_secs_f64())
    .fetch_all(&mut *conn)
    .await?;
    let mut reaped = Vec::with_capacity(expired.len());
    for (job_id, worker_id, queue, attempt, max_attempts, cancel_requested) in expired {
        let worker = worker_id.map_or_else(|| "The worker".to_owned(), |id| format!("Worker {id}"));
        let lost = format!("{worker} was not heard of any more during attempt {attempt} of {max_attempts}");
        let (state, event, error, message) = if cancel_requested {
            ("cancelled", JobEventKind::Cancelled, None, format!("{lost}; cancelled"))
        } else if attempt >= max_attempts {
            let error = Some((
                ErrorCode::WorkerLost,
                "See the log of that worker, then start the job again",
            ));
            ("failed", JobEventKind::Failed, error, lost.clone())
        } else {
            let error = Some((ErrorCode::WorkerLost, "Nothing to do: the job runs again by itself"));
            (
                "queued",
                JobEventKind::LeaseLost,
                error,
                format!("{lost}; it will run again"),
            )
        };
        sqlx::query(
            "update jobs set state = $2, finished_at = case when $2 = 'queued' then null else now() end, \
                 run_at = now(), phase = null, lease_id = null, lease_expires_at = null, \
                 error_code = $3, error_message = $4, error_hint = $5 where id = $1",
        )
        .bind(&job_id)
        .bind(state)
        .bind(error.map(|(code, _)| code))
        .bind(error.map(|_| &lost))
        .bind(error.map(|(_, hint)| hint))
        .execute(&mut *conn)
        .await?;
        job_events::record(conn, &job_id, event, &message).await?;
        reaped.push(Reaped {
            job_id,
            requeued_in: (state == "queued").then_some(queue),
        });
    }
    Ok(reaped)
}
