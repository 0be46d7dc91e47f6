//! Housekeeping on the queue's own tables (schema `apalis`): counting and pruning, which the crate
//! does not offer. Reading and writing tickets is the business of `queue`.

use std::time::Duration;

use sqlx::PgConnection;

use super::DbError;

/// A queue that holds fewer permits than due jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// The queue.
    pub queue: String,
    /// Tickets it lacks.
    pub missing: i64,
}

/// Fits the queue's table to what we do with it: used tickets are cleared away after a thousand of them, instead of after
/// a fifth of all that were ever used; and new ones do not notify by themselves, see [`super::notices`].
pub async fn tune(conn: &mut PgConnection) -> Result<(), DbError> {
    let tuned: bool =
        sqlx::query_scalar("select reloptions is not null from pg_class where oid = 'apalis.jobs'::regclass")
            .fetch_one(&mut *conn)
            .await?;
    // Only once: it takes a lock that waits for everybody.
    if !tuned {
        sqlx::query(
            "alter table apalis.jobs set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)",
        )
        .execute(&mut *conn)
        .await?;
    }
    let notifies: bool = sqlx::query_scalar(
        "select exists (select from pg_trigger where tgrelid = 'apalis.jobs'::regclass and tgname = 'notify_workers')",
    )
    .fetch_one(&mut *conn)
    .await?;
    if notifies {
        sqlx::query("drop trigger if exists notify_workers on apalis.jobs")
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Takes the right to put tickets back until the transaction ends; false if another hub has it.
pub async fn lock_sweeping(conn: &mut PgConnection) -> Result<bool, DbError> {
    Ok(
        sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtextextended('xvault ticket sweeper', 0))")
            .fetch_one(conn)
            .await?,
    )
}

/// Up to `limit` queues whose jobs have been due for longer than `grace` while fewer tickets wait than jobs. Jobs that a
/// limit holds back need no ticket: nobody could use it.
pub async fn shortages(conn: &mut PgConnection, grace: Duration, limit: i64) -> Result<Vec<Shortage>, DbError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "with due as (
             select queue, count(*) as jobs from due_jobs
             where held_by is null and run_at < now() - make_interval(secs => $1) group by queue
         )
         select due.queue, due.jobs - waiting.tickets from due cross join lateral (
             select count(*) as tickets from apalis.jobs t
             where t.job_type = due.queue and t.status = 'Pending' and t.run_at <= now()
         ) waiting
         where due.jobs > waiting.tickets order by due.queue limit $2",
    )
    .bind(grace.as_secs_f64())
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(queue, missing)| Shortage { queue, missing })
        .collect())
}

/// Removes up to `limit` tickets that were used more than `age` ago; returns how many.
pub async fn prune(conn: &mut PgConnection, age: Duration, limit: i64) -> Result<u64, DbError> {
    let done = sqlx::query(
        "delete from apalis.jobs where id in (
             select id from apalis.jobs
             where (status in ('Done', 'Killed') or (status = 'Failed' and attempts >= max_attempts))
               and coalesce(done_at, run_at) < now() - make_interval(secs => $1)
             limit $2 for update skip locked)",
    )
    .bind(age.as_secs_f64())
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Removes the names under which worker processes once registered with the queue (one per boot) and
/// that have been silent for longer than `age`; returns how many.
pub async fn prune_consumers(conn: &mut PgConnection, age: Duration) -> Result<u64, DbError> {
    let done = sqlx::query(
        "delete from apalis.workers w where w.last_seen < now() - make_interval(secs => $1)
           and not exists (select from apalis.jobs t where t.lock_by = w.id)",
    )
    .bind(age.as_secs_f64())
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
