//! Claiming: which due job of a queue a worker gets. The choice itself is the function `claim_job` of
//! `migrations/0002_fair_queue.sql`, which says why it is one.

use std::time::Duration;

use sqlx::{FromRow, PgConnection, Row};

use super::{lease::Lease, row::columns};
use crate::{
    db::DbError,
    domain::{ids::WorkerId, job::Job},
};

/// A job and the lease it is held under.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The job, already `running`.
    pub job: Job,
    /// What every later word about it must show.
    pub lease: Lease,
}

/// Who asks for a job, and what it could do.
#[derive(Debug, Clone)]
pub struct Offer<'a> {
    /// The queue to claim from.
    pub queue: &'a str,
    /// The worker.
    pub worker_id: &'a WorkerId,
    /// How long the lease holds without being renewed.
    pub lease_for: Duration,
    /// False while the worker takes no backups.
    pub backups: bool,
    /// Free bytes of its storage, if known.
    pub free_bytes: Option<u64>,
    /// True if a ticket was used up for this claim. Otherwise a job that is found takes one along.
    pub has_permit: bool,
}

impl<'a> Offer<'a> {
    /// A permit of `queue` in the hands of a worker that could do any job.
    pub fn new(queue: &'a str, worker_id: &'a WorkerId, lease_for: Duration) -> Self {
        Self {
            queue,
            worker_id,
            lease_for,
            backups: true,
            free_bytes: None,
            has_permit: true,
        }
    }

    fn signed_free_bytes(&self) -> Option<i64> {
        self.free_bytes.map(|n| i64::try_from(n).unwrap_or(i64::MAX))
    }
}

/// Takes the fairest due job of the queue: of the tenant with the fewest running, then of the one that was
/// served longest ago; what a person waits for before what a schedule ordered; the oldest first. Limits of
/// tenants and servers hold exactly. `None` if nothing is due that this worker may do now.
///
/// `conn` should be in no transaction: the claim is one by itself, and is not flushed to disk.
pub async fn claim(conn: &mut PgConnection, offer: &Offer<'_>) -> Result<Option<Claimed>, DbError> {
    let row = sqlx::query(concat!(
        "select j.lease_id, ",
        columns!(),
        " from claim_job($1, $2, $3, $4, $5, $6) j"
    ))
    .bind(offer.queue)
    .bind(offer.worker_id)
    .bind(offer.lease_for.as_secs_f64())
    .bind(offer.backups)
    .bind(offer.signed_free_bytes())
    .bind(offer.has_permit)
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let job = Job::from_row(&row)?;
    let lease = Lease {
        job_id: job.id.clone(),
        worker_id: offer.worker_id.clone(),
        lease_id: row.try_get("lease_id")?,
    };
    Ok(Some(Claimed { job, lease }))
}

/// True if a due job of the queue waits for nothing but a worker that has what this one lacks: room on
/// its disk.
pub async fn has_due_for_others(conn: &mut PgConnection, offer: &Offer<'_>) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "select exists (select from due_jobs where queue = $1 and held_by is null \
             and ((kind = 'backup' and not $2) or needs_free_bytes > $3))",
    )
    .bind(offer.queue)
    .bind(offer.backups)
    .bind(offer.signed_free_bytes())
    .fetch_one(conn)
    .await?)
}

/// True if any job of `queue` is due that no limit holds back.
pub async fn has_due(conn: &mut PgConnection, queue: &str) -> Result<bool, DbError> {
    Ok(
        sqlx::query_scalar("select exists (select from due_jobs where queue = $1 and held_by is null)")
            .bind(queue)
            .fetch_one(conn)
            .await?,
    )
}
