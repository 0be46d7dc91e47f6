//! Entering into the catalogue again what a storage has and the catalogue has lost, and moving snapshots to the
//! worker that has their disk now. For `xvault recover`, which works across tenants because a disk does.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, types::Json};

use super::{DbError, job_events, snapshots};
use crate::domain::{
    ids::{JobId, SnapshotId, TenantId, WorkerId},
    job::{JobKind, JobPayload, JobState},
    job_event::JobEventKind,
    snapshot::{NewSnapshot, SnapshotKey, SnapshotState},
    source::{SourceKind, SshConfig},
};

/// What the catalogue has about a snapshot that it does not have itself.
#[derive(Debug, Clone, FromRow)]
pub struct Catalogued {
    /// True if it has the tenant, and with it the tenant's key.
    pub tenant: bool,
    /// True if one of the snapshot's ids belongs to something else: another tenant's, or another kind of thing.
    pub foreign: bool,
    /// True if it has a key that opens the snapshot.
    pub openable: bool,
    /// True if a job has deleted it.
    pub removed: bool,
    /// The state of the job that made it.
    pub job: Option<JobState>,
    /// The snapshot which that job names as its result.
    pub made: Option<SnapshotId>,
    /// The snapshot which is catalogued as the result of that job.
    pub result: Option<SnapshotId>,
    /// The worker that runs the job right now.
    pub held_by: Option<WorkerId>,
}

/// A snapshot to enter.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// What its backup once told.
    pub snapshot: NewSnapshot,
    /// When it was taken.
    pub created_at: DateTime<Utc>,
    /// What kind of source it is of.
    pub kind: SourceKind,
}

/// Looks up what is known of the tenant and the job of a snapshot. `recipients` can open it.
pub async fn catalogued(
    conn: &mut PgConnection,
    key: &SnapshotKey,
    job_id: &JobId,
    recipients: &[String],
) -> Result<Catalogued, DbError> {
    Ok(sqlx::query_as(
        "select exists (select from tenants where id = $1) as tenant, \
                exists (select from jobs where id = $3 and (tenant_id, source_id, kind) <> ($1, $5, 'backup')) \
                or exists (select from sources where id = $5 and tenant_id <> $1) \
                or exists (select from snapshots where id = $2 and tenant_id <> $1) as \"foreign\", \
                exists (select from age_keys where tenant_id = $1 and recipient = any($4) \
                        and sealed_identity is not null) as openable, \
                exists (select from jobs where tenant_id = $1 and snapshot_id = $2 and kind = 'delete' \
                        and state = 'succeeded') as removed, \
                j.state as job, j.snapshot_id as made, \
                (select id from snapshots where tenant_id = $1 and job_id = $3) as result, \
                case when j.lease_expires_at > now() then j.worker_id end as held_by \
         from (select) as one \
         left join jobs j on j.tenant_id = $1 and j.id = $3 and j.kind = 'backup'",
    )
    .bind(&key.tenant_id)
    .bind(&key.snapshot_id)
    .bind(job_id)
    .bind(recipients)
    .bind(&key.source_id)
    .fetch_one(conn)
    .await?)
}

/// Enters a snapshot with the job that made it; where the source is lost too, a removed one takes its place. A
/// job that waits to be tried again has its result with this.
pub async fn enter(conn: &mut PgConnection, recovered: &Recovered) -> Result<(), DbError> {
    let new = &recovered.snapshot;
    enter_source(conn, recovered).await?;
    enter_job(conn, recovered).await?;
    snapshots::insert(conn, new).await?;
    sqlx::query("update snapshots set created_at = $3 where tenant_id = $1 and id = $2")
        .bind(&new.key.tenant_id)
        .bind(&new.key.snapshot_id)
        .bind(recovered.created_at)
        .execute(conn)
        .await?;
    Ok(())
}

async fn enter_source(conn: &mut PgConnection, recovered: &Recovered) -> Result<(), DbError> {
    let key = &recovered.snapshot.key;
    let unknown = SshConfig {
        host: "unknown.invalid".to_owned(),
        port: 22,
        user: "unknown".to_owned(),
        paths: vec!["/".to_owned()],
        exclude: Vec::new(),
        jump: None,
    };
    sqlx::query(
        "insert into sources (id, tenant_id, name, kind, config, created_at, deleted_at) \
         values ($1, $2, $3, $4, $5, $6, now()) on conflict do nothing",
    )
    .bind(&key.source_id)
    .bind(&key.tenant_id)
    .bind(format!("Recovered, settings lost ({})", key.source_id))
    .bind(recovered.kind)
    .bind(Json(&unknown))
    .bind(recovered.created_at)
    .execute(conn)
    .await?;
    Ok(())
}

async fn enter_job(conn: &mut PgConnection, recovered: &Recovered) -> Result<(), DbError> {
    let new = &recovered.snapshot;
    let (state, event) = match new.state {
        SnapshotState::Partial => (JobState::Partial, JobEventKind::Partial),
        _ => (JobState::Succeeded, JobEventKind::Succeeded),
    };
    let result = serde_json::json!({
        "snapshot_id": new.key.snapshot_id,
        "bytes_source": new.bytes_source,
        "bytes_stored": new.bytes_stored,
        "sha256": new.sha256,
        "recovered": true,
    });
    let entered = sqlx::query(
        "insert into jobs (id, tenant_id, kind, state, queue, source_id, snapshot_id, payload, attempt, \
             progress_bytes, progress_files, warnings, result, run_at, created_at, started_at, finished_at) \
         values ($1, $2, $3, $4, 'work', $5, $6, $7, 1, $8, $9, $10, $11, $12, $12, $12, $12) \
         on conflict (id) do update set state = excluded.state, snapshot_id = excluded.snapshot_id, \
             progress_bytes = excluded.progress_bytes, progress_files = excluded.progress_files, \
             warnings = excluded.warnings, result = excluded.result, finished_at = now(), phase = null, \
             lease_id = null, lease_expires_at = null, error_code = null, error_message = null, error_hint = null \
         where jobs.tenant_id = excluded.tenant_id and jobs.state in ('queued', 'running') \
           and (jobs.lease_expires_at is null or jobs.lease_expires_at <= now())",
    )
    .bind(&new.job_id)
    .bind(&new.key.tenant_id)
    .bind(JobKind::Backup)
    .bind(state)
    .bind(&new.key.source_id)
    .bind(&new.key.snapshot_id)
    .bind(Json(JobPayload::Backup { v: 1 }))
    .bind(i64::try_from(new.bytes_source).unwrap_or(i64::MAX))
    .bind(i64::try_from(new.files).unwrap_or(i64::MAX))
    .bind(Json(&new.warnings))
    .bind(result)
    .bind(recovered.created_at)
    .execute(&mut *conn)
    .await?;
    if entered.rows_affected() > 0 {
        let message = format!(
            "Recovered from the files of snapshot {}; what else was known of this job is lost",
            new.key.snapshot_id
        );
        job_events::record(conn, &new.job_id, event, &message).await?;
    }
    Ok(())
}

/// Makes `worker_id` the one that has this snapshot, at `local_path`; what waits to be done with it goes along.
pub async fn move_to(
    conn: &mut PgConnection,
    key: &SnapshotKey,
    worker_id: &WorkerId,
    local_path: &str,
    queue: &str,
) -> Result<(), DbError> {
    sqlx::query("update snapshots set worker_id = $3, local_path = $4 where tenant_id = $1 and id = $2")
        .bind(&key.tenant_id)
        .bind(&key.snapshot_id)
        .bind(worker_id)
        .bind(local_path)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "update jobs set queue = $3 where tenant_id = $1 and snapshot_id = $2 \
         and kind in ('restore', 'verify', 'delete') and state = 'queued'",
    )
    .bind(&key.tenant_id)
    .bind(&key.snapshot_id)
    .bind(queue)
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes sure that the catalogue has a row for a worker that does not run.
pub async fn ensure_worker(conn: &mut PgConnection, id: &WorkerId) -> Result<(), DbError> {
    sqlx::query(
        "insert into workers (id, hostname, version, url, concurrency, stopped_at) \
         values ($1, 'recovered', '', 'http://recovered.invalid/', 1, now()) on conflict do nothing",
    )
    .bind(id)
    .execute(conn)
    .await?;
    Ok(())
}

/// True if the worker has given a sign of life within 30 seconds and has not said goodbye since.
pub async fn is_alive(conn: &mut PgConnection, worker_id: &WorkerId) -> Result<bool, DbError> {
    Ok(sqlx::query_scalar(
        "select exists (select from workers where id = $1 and stopped_at is null \
         and last_seen_at > now() - interval '30 seconds')",
    )
    .bind(worker_id)
    .fetch_one(conn)
    .await?)
}

/// Writes down for the tenant's owners that an operator did this to a snapshot.
pub async fn note(conn: &mut PgConnection, tenant_id: &TenantId, action: &str, id: &SnapshotId) -> Result<(), DbError> {
    super::audit_log::record(
        conn,
        &super::audit_log::Deed {
            tenant_id: Some(tenant_id),
            actor: "operator",
            action,
            target: Some(id.as_str()),
        },
    )
    .await
}
