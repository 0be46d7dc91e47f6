//! What depends on one worker: snapshots only it has, jobs only it can do, jobs it runs. Over all
//! tenants, because a disk is; what is told of a tenant are counts, sizes and kinds, not names of its things.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use super::DbError;
use crate::domain::{
    ids::{JobId, TenantId, WorkerId},
    job::{JobKind, Progress},
};

/// Most rows per answer.
const LIMIT: i64 = 500;

/// What one tenant has on a worker's disk.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Held {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name.
    pub tenant_name: String,
    /// Snapshots that lie there and can be read as far as is known.
    pub snapshots: i64,
    /// Bytes they take.
    pub bytes_stored: i64,
}

/// Jobs of one tenant and kind that wait for a worker.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Waiting {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name.
    pub tenant_name: String,
    /// What they do.
    pub kind: JobKind,
    /// How many.
    pub jobs: i64,
    /// When the first of them was ordered.
    pub oldest: DateTime<Utc>,
}

/// A job that a worker runs.
#[derive(Debug, Clone, FromRow)]
pub struct Running {
    /// The job.
    #[sqlx(rename = "id")]
    pub job_id: JobId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The tenant's name.
    pub tenant_name: String,
    /// What it does.
    pub kind: JobKind,
    /// Which attempt this is.
    pub attempt: i32,
    /// What it is doing just now.
    pub phase: Option<String>,
    /// How far it is.
    #[sqlx(flatten)]
    pub progress: Progress,
    /// When the attempt began.
    pub started_at: Option<DateTime<Utc>>,
}

/// How much depends on one worker, over all tenants.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Dependence {
    /// The worker.
    pub worker_id: WorkerId,
    /// Tenants with snapshots there.
    pub tenants: i64,
    /// Snapshots that lie there.
    pub snapshots: i64,
    /// Bytes they take.
    pub bytes_stored: i64,
}

/// A tenant's snapshots on one worker's disk.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Lying {
    /// The worker.
    pub worker_id: WorkerId,
    /// How many.
    pub snapshots: i64,
}

/// What lies on a worker's disk, most bytes first.
pub async fn held(conn: &mut PgConnection, worker_id: &WorkerId) -> Result<Vec<Held>, DbError> {
    Ok(sqlx::query_as(
        "select h.tenant_id, t.name as tenant_name, h.snapshots, h.bytes_stored from (
             select tenant_id, count(*) as snapshots, sum(bytes_stored)::bigint as bytes_stored from snapshots
             where worker_id = $1 and state in ('complete', 'partial', 'damaged') group by tenant_id
         ) h join tenants t on t.id = h.tenant_id order by h.bytes_stored desc, t.id limit $2",
    )
    .bind(worker_id)
    .bind(LIMIT)
    .fetch_all(conn)
    .await?)
}

/// Jobs that wait in `queue`, by tenant and kind, the oldest first.
pub async fn waiting(conn: &mut PgConnection, queue: &str) -> Result<Vec<Waiting>, DbError> {
    Ok(sqlx::query_as(
        "select w.tenant_id, t.name as tenant_name, w.kind, w.jobs, w.oldest from (
             select tenant_id, kind, count(*) as jobs, min(created_at) as oldest from jobs
             where queue = $1 and state = 'queued' group by tenant_id, kind
         ) w join tenants t on t.id = w.tenant_id order by w.oldest, t.id, w.kind limit $2",
    )
    .bind(queue)
    .bind(LIMIT)
    .fetch_all(conn)
    .await?)
}

/// What a worker runs, the longest first.
pub async fn running(conn: &mut PgConnection, worker_id: &WorkerId) -> Result<Vec<Running>, DbError> {
    Ok(sqlx::query_as(
        "select j.id, j.tenant_id, t.name as tenant_name, j.kind, j.attempt, j.phase, j.progress_bytes, \
             j.progress_files, j.progress_total_bytes, j.started_at \
         from jobs j join tenants t on t.id = j.tenant_id \
         where j.state = 'running' and j.worker_id = $1 order by j.started_at, j.id limit $2",
    )
    .bind(worker_id)
    .bind(LIMIT)
    .fetch_all(conn)
    .await?)
}

/// How much lies with each of these workers; those with nothing are left out.
pub async fn dependence(conn: &mut PgConnection, workers: &[WorkerId]) -> Result<Vec<Dependence>, DbError> {
    Ok(sqlx::query_as(
        "select worker_id, count(distinct tenant_id) as tenants, count(*) as snapshots, \
             sum(bytes_stored)::bigint as bytes_stored \
         from snapshots where worker_id = any($1) and state in ('complete', 'partial', 'damaged') group by worker_id",
    )
    .bind(workers)
    .fetch_all(conn)
    .await?)
}

/// How many snapshots of a tenant lie with each of these workers.
pub async fn of_tenant(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    workers: &[WorkerId],
) -> Result<Vec<Lying>, DbError> {
    Ok(sqlx::query_as(
        "select worker_id, count(*) as snapshots from snapshots \
         where worker_id = any($2) and tenant_id = $1 and state in ('complete', 'partial', 'damaged') \
         group by worker_id order by worker_id",
    )
    .bind(tenant_id)
    .bind(workers)
    .fetch_all(conn)
    .await?)
}
