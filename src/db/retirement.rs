//! What becomes of everything that depends on a worker which is retired. Each step leaves the
//! catalogue saying the truth: what nobody can read is `missing`, what nobody can do has failed.

use sqlx::PgConnection;

use super::DbError;
use crate::domain::{
    ids::{JobId, WorkerId},
    job::JobError,
};

/// Marks what lay on the worker's disk as `missing` and says `why`; returns how many snapshots. Those being removed
/// stay so: another worker ends it, see [`move_deletions`].
pub async fn mark_snapshots_missing(conn: &mut PgConnection, worker_id: &WorkerId, why: &str) -> Result<u64, DbError> {
    let done = sqlx::query(
        "update snapshots set state = 'missing', fault = $2, fault_in_content = false, unreadable = false \
         where worker_id = $1 and state in ('complete', 'partial', 'damaged', 'missing')",
    )
    .bind(worker_id)
    .bind(why)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Ends the links of restores that lie on its disk.
pub async fn end_exports(conn: &mut PgConnection, worker_id: &WorkerId) -> Result<(), DbError> {
    sqlx::query(
        "update exports set expires_at = now() where worker_id = $1 and downloaded_at is null and expires_at > now()",
    )
    .bind(worker_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves the waiting deletions of `queue` to queue `to`; returns how many, each of which is owed a
/// ticket. Removing files that are not there is no error, so whoever takes one ends it.
pub async fn move_deletions(conn: &mut PgConnection, queue: &str, to: &str) -> Result<u64, DbError> {
    let done = sqlx::query("update jobs set queue = $2 where queue = $1 and state = 'queued' and kind = 'delete'")
        .bind(queue)
        .bind(to)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

/// Fails what else waits in `queue`, because nobody will ever do it; returns them.
pub async fn fail_waiting(conn: &mut PgConnection, queue: &str, error: &JobError) -> Result<Vec<JobId>, DbError> {
    let failed = sqlx::query_scalar(
        "with failed as (
             update jobs set state = 'failed', finished_at = now(), phase = null, error_code = $2,
                 error_message = $3, error_hint = $4
             where queue = $1 and state = 'queued' returning id, attempt
         ), noted as (
             insert into job_events (job_id, attempt, kind, message) select id, attempt, 'failed', $3 from failed
         )
         select id from failed",
    )
    .bind(queue)
    .bind(error.code)
    .bind(&error.message)
    .bind(&error.hint)
    .fetch_all(conn)
    .await?;
    Ok(failed)
}
