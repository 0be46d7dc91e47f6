//! The schedule of verifications: how far it is on each worker, and which snapshots are next.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    db::{DbError, Page},
    domain::{ids::WorkerId, snapshot::Snapshot},
};

/// How far the schedule is on one worker, held until the transaction ends.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Verifications are ordered up to this time.
    pub ordered_to: DateTime<Utc>,
    /// The database's time.
    pub now: DateTime<Utc>,
    /// Snapshots on the worker that can be verified.
    pub snapshots: i64,
    /// Verifications it has to do already, whoever ordered them.
    pub active: i64,
}

/// Workers that have snapshots and are there to verify them, at most 1,000 after `after`.
pub async fn verifying_workers(conn: &mut PgConnection, after: Option<&WorkerId>) -> Result<Vec<WorkerId>, DbError> {
    Ok(sqlx::query_scalar(
        "select w.id from workers w \
         where w.stopped_at is null and not w.draining and w.last_seen_at > now() - interval '30 seconds' \
           and ($1::text is null or w.id > $1) \
           and exists (select from snapshots s where s.worker_id = w.id and s.state in ('complete', 'partial')) \
         order by w.id limit 1000",
    )
    .bind(after)
    .fetch_all(conn)
    .await?)
}

/// Takes the schedule of one worker until the transaction ends; `None` if another hub has it just now. On a
/// worker that is new to it, the schedule begins now.
pub async fn take_pace(conn: &mut PgConnection, worker_id: &WorkerId) -> Result<Option<Pace>, DbError> {
    sqlx::query("insert into verification_pace (worker_id) values ($1) on conflict do nothing")
        .bind(worker_id)
        .execute(&mut *conn)
        .await?;
    let row: Option<(DateTime<Utc>, DateTime<Utc>)> =
        sqlx::query_as("select ordered_to, now() from verification_pace where worker_id = $1 for update skip locked")
            .bind(worker_id)
            .fetch_optional(&mut *conn)
            .await?;
    let Some((ordered_to, now)) = row else { return Ok(None) };
    // A statement of its own: it must see what the hub before us has ordered. (One count per state: each has an
    // index of its own, and finished jobs are many.)
    let (snapshots, active) = sqlx::query_as(
        "select (select count(*) from snapshots where worker_id = $1 and state in ('complete', 'partial')), \
                (select count(*) from jobs where queue = 'worker.' || $1 and kind = 'verify' and state = 'queued') \
                + (select count(*) from jobs where queue = 'worker.' || $1 and kind = 'verify' and state = 'running')",
    )
    .bind(worker_id)
    .fetch_one(conn)
    .await?;
    Ok(Some(Pace {
        ordered_to,
        now,
        snapshots,
        active,
    }))
}

/// Notes how far the schedule of a worker is.
pub async fn set_pace(conn: &mut PgConnection, worker_id: &WorkerId, ordered_to: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query("update verification_pace set ordered_to = $2 where worker_id = $1")
        .bind(worker_id)
        .bind(ordered_to)
        .execute(conn)
        .await?;
    Ok(())
}

/// The snapshots of a worker that were not looked at for longest and are not being verified or removed; they
/// count as ordered from now on.
pub async fn take_unverified(
    conn: &mut PgConnection,
    worker_id: &WorkerId,
    limit: i64,
) -> Result<Vec<Snapshot>, DbError> {
    let limit = limit.min(Page::MAX_LIMIT);
    Ok(sqlx::query_as(
        "with next as (
             select s.id from snapshots s
             where s.worker_id = $1 and s.state in ('complete', 'partial')
               and not exists (select from jobs j where j.snapshot_id = s.id and j.kind in ('verify', 'delete')
                               and j.state in ('queued', 'running'))
             order by greatest(s.created_at, s.verified_at, s.verify_ordered_at), s.id
             limit $2 for update of s skip locked
         )
         update snapshots s set verify_ordered_at = now() from next where s.id = next.id returning s.*",
    )
    .bind(worker_id)
    .bind(limit)
    .fetch_all(conn)
    .await?)
}
