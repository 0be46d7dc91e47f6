//! New jobs.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

use super::row::columns;
use crate::{
    db::DbError,
    domain::{
        ids::{JobId, SnapshotId, SourceId, TenantId, UserId},
        job::{Job, JobKind, JobPayload},
        job_event::JobEventKind,
    },
};

/// A job to be. Made by `queue::orders`, which knows the right queue.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// What it does.
    pub kind: JobKind,
    /// Queue it waits in.
    pub queue: String,
    /// The source it is about.
    pub source_id: SourceId,
    /// The source that it writes to; only of restores to a server.
    pub target_source_id: Option<SourceId>,
    /// The snapshot it reads; `None` for backups and probes.
    pub snapshot_id: Option<SnapshotId>,
    /// The rest of the order.
    pub payload: JobPayload,
    /// Smaller goes first: 0 what a person waits for, 10 scheduled.
    pub priority: i16,
    /// Attempts allowed.
    pub max_attempts: i32,
    /// Not before this time; at once if `None`.
    pub run_at: Option<DateTime<Utc>>,
    /// The person who ordered it.
    pub created_by: Option<UserId>,
}

/// Writes the row of a new job and its first event; `None` if it is a backup and the source has an active one
/// already. Jobs that connect to a source keep the name of the server, which limits go by.
pub async fn insert(conn: &mut PgConnection, new: &NewJob) -> Result<Option<Job>, DbError> {
    Ok(sqlx::query_as(concat!(
        "with new as (
             insert into jobs (id, tenant_id, kind, queue, source_id, snapshot_id, payload, priority, max_attempts,
                 run_at, created_by, target_source_id, host)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, coalesce($10, now()), $11, $13, (
                 select lower(concat(config->>'host', ':', config->>'port',
                     ' via ' || (config->'jump'->>'host') || ':' || (config->'jump'->>'port')))
                 from sources where tenant_id = $2 and id = case when $3 in ('backup', 'probe') then $5 else $13 end))
             on conflict (source_id) where kind = 'backup' and state in ('queued', 'running') do nothing
             returning *
         ), event as (
             insert into job_events (job_id, attempt, kind, message) select id, 0, $12, 'Waiting for a worker' from new
         )
         select ",
        columns!(),
        " from new j"
    ))
    .bind(&new.id)
    .bind(&new.tenant_id)
    .bind(new.kind)
    .bind(&new.queue)
    .bind(&new.source_id)
    .bind(&new.snapshot_id)
    .bind(Json(&new.payload))
    .bind(new.priority)
    .bind(new.max_attempts)
    .bind(new.run_at)
    .bind(&new.created_by)
    .bind(JobEventKind::Queued.as_str())
    .bind(&new.target_source_id)
    .fetch_optional(conn)
    .await?)
}

/// The active backup of a source, if there is one.
pub async fn active_backup(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    source_id: &SourceId,
) -> Result<Option<JobId>, DbError> {
    Ok(sqlx::query_scalar(
        "select id from jobs \
         where tenant_id = $1 and source_id = $2 and kind = 'backup' and state in ('queued', 'running')",
    )
    .bind(tenant_id)
    .bind(source_id)
    .fetch_optional(conn)
    .await?)
}
