//! Claiming: which due job of a queue a worker gets.

use std::time::Duration;

use sqlx::{FromRow, PgConnection, Row};

use super::{lease::Lease, row::columns};
use crate::{
    db::{DbError, job_events},
    domain::{ids::WorkerId, job::Job, job_event::JobEventKind},
};

/// A job and the lease it is held under.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The job, already `running`.
    pub job: Job,
    /// What every later word about it must show.
    pub lease: Lease,
}

/// Jobs of one tenant looked at per claim. Bounds the work of a claim; more claimers than this at
/// the very same moment would find nothing for one of them, whose permit the sweeper replaces.
const CANDIDATES_PER_TENANT: i64 = 64;

/// Takes the fairest due job of `queue`: of the tenant with the fewest jobs running, then by
/// priority, then the oldest. `None` if nothing is due. Without `backups` only other kinds count.
///
/// Waiting tenants are found by a loose index scan and each contributes a bounded number of rows,
/// so ten thousand queued jobs of one tenant cost the others nothing.
pub async fn claim(
    conn: &mut PgConnection,
    queue: &str,
    worker_id: &WorkerId,
    lease_for: Duration,
    backups: bool,
) -> Result<Option<Claimed>, DbError> {
    let row = sqlx::query(concat!(
        "with recursive waiting as (
             (select j.tenant_id from jobs j where j.queue = $1 and j.state = 'queued' order by j.tenant_id limit 1)
             union all
             select (select j.tenant_id from jobs j
                     where j.queue = $1 and j.state = 'queued' and j.tenant_id > w.tenant_id
                     order by j.tenant_id limit 1)
             from waiting w where w.tenant_id is not null
         ), candidate as (
             select c.id, c.priority, c.run_at,
                    (select count(*) from jobs r where r.tenant_id = w.tenant_id and r.state = 'running') as running
             from waiting w cross join lateral (
                 select j.id, j.priority, j.run_at from jobs j
                 where j.queue = $1 and j.state = 'queued' and j.tenant_id = w.tenant_id and j.run_at <= now()
                   and ($4 or j.kind <> 'backup')
                 order by j.priority, j.run_at, j.id limit $5
             ) c
             where w.tenant_id is not null
         ), fairest as (
             select j.id from candidate c join jobs j on j.id = c.id
             where j.state = 'queued' and j.run_at <= now()
             order by c.running, c.priority, c.run_at, c.id
             limit 1 for update of j skip locked
         )
         update jobs j set state = 'running', attempt = j.attempt + 1, worker_id = $2,
             lease_id = gen_random_uuid(), lease_expires_at = now() + make_interval(secs => $3),
             started_at = now(), phase = null, progress_bytes = 0, progress_files = 0, progress_total_bytes = null,
             error_code = null, error_message = null, error_hint = null
         from fairest f where j.id = f.id
         returning j.lease_id, ",
        columns!()
    ))
    .bind(queue)
    .bind(worker_id)
    .bind(lease_for.as_secs_f64())
    .bind(backups)
    .bind(CANDIDATES_PER_TENANT)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let job = Job::from_row(&row)?;
    let lease = Lease {
        job_id: job.id.clone(),
        worker_id: worker_id.clone(),
        lease_id: row.try_get("lease_id")?,
    };
    let message = format!("Worker {worker_id} took the job");
    job_events::record(conn, &job.id, JobEventKind::Claimed, &message).await?;
    Ok(Some(Claimed { job, lease }))
}

/// True if any job of `queue` is due, of whatever kind.
pub async fn has_due(conn: &mut PgConnection, queue: &str) -> Result<bool, DbError> {
    Ok(
        sqlx::query_scalar(
            "select exists (select from jobs where queue = $1 and state = 'queued' and run_at <= now())",
        )
        .bind(queue)
        .fetch_one(conn)
        .await?,
    )
}
