//! Exports: restores made ready for download.

use std::time::Duration;

use sqlx::{FromRow, PgConnection, Row, postgres::PgRow};

use super::{DbError, unsigned::unsigned};
use crate::domain::{
    export::{Export, NewExport},
    ids::{ExportId, JobId, TenantId, WorkerId},
};

/// Registers an export whose link lives for `lifetime`. Called in the transaction that ends the
/// restore. Returns it with its times.
pub async fn insert(conn: &mut PgConnection, new: &NewExport, lifetime: Duration) -> Result<Export, DbError> {
    Ok(sqlx::query_as(
        "insert into exports (id, tenant_id, job_id, snapshot_id, worker_id, format, file_name, token_hash, bytes, \
             sha256, expires_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + make_interval(secs => $11)) returning *",
    )
    .bind(&new.id)
    .bind(&new.tenant_id)
    .bind(&new.job_id)
    .bind(&new.snapshot_id)
    .bind(&new.worker_id)
    .bind(new.format)
    .bind(&new.file_name)
    .bind(&new.token_hash)
    .bind(i64::try_from(new.bytes).unwrap_or(i64::MAX))
    .bind(&new.sha256)
    .bind(lifetime.as_secs_f64())
    .fetch_one(conn)
    .await?)
}

/// The export a restore of a tenant made.
pub async fn of_job(conn: &mut PgConnection, tenant_id: &TenantId, job_id: &JobId) -> Result<Option<Export>, DbError> {
    Ok(
        sqlx::query_as("select * from exports where tenant_id = $1 and job_id = $2")
            .bind(tenant_id)
            .bind(job_id)
            .fetch_optional(conn)
            .await?,
    )
}

/// The exports that some restores of a tenant made.
pub async fn of_jobs(conn: &mut PgConnection, tenant_id: &TenantId, job_ids: &[JobId]) -> Result<Vec<Export>, DbError> {
    Ok(
        sqlx::query_as("select * from exports where tenant_id = $1 and job_id = any($2)")
            .bind(tenant_id)
            .bind(job_ids)
            .fetch_all(conn)
            .await?,
    )
}

/// The export a worker was asked for by a link. No tenant here: the token in the link is the permission.
pub async fn on_worker(
    conn: &mut PgConnection,
    worker_id: &WorkerId,
    id: &ExportId,
) -> Result<Option<Export>, DbError> {
    Ok(sqlx::query_as("select * from exports where worker_id = $1 and id = $2")
        .bind(worker_id)
        .bind(id)
        .fetch_optional(conn)
        .await?)
}

/// Ends the life of a link because its download is complete; false if it had ended before.
pub async fn set_downloaded(conn: &mut PgConnection, id: &ExportId) -> Result<bool, DbError> {
    let done = sqlx::query("update exports set downloaded_at = now() where id = $1 and downloaded_at is null")
        .bind(id)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Ids of the exports on a worker whose link still works, at most 10,000: every other file in its
/// directory of exports can go.
pub async fn available_on(conn: &mut PgConnection, worker_id: &WorkerId) -> Result<Vec<ExportId>, DbError> {
    Ok(sqlx::query_scalar(
        "select id from exports where worker_id = $1 and downloaded_at is null and expires_at > now() \
         order by expires_at desc limit 10000",
    )
    .bind(worker_id)
    .fetch_all(conn)
    .await?)
}

/// Forgets up to `limit` exports whose links died more than `age` ago; returns how many. Until then
/// the worker can still tell why a link does not work.
pub async fn prune(conn: &mut PgConnection, age: Duration, limit: i64) -> Result<u64, DbError> {
    let done = sqlx::query(
        "delete from exports where id in (
             select id from exports where expires_at < now() - make_interval(secs => $1)
             order by expires_at limit $2 for update skip locked)",
    )
    .bind(age.as_secs_f64())
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

impl FromRow<'_, PgRow> for Export {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Export {
            new: NewExport {
                id: row.try_get("id")?,
                tenant_id: row.try_get("tenant_id")?,
                job_id: row.try_get("job_id")?,
                snapshot_id: row.try_get("snapshot_id")?,
                worker_id: row.try_get("worker_id")?,
                format: row.try_get("format")?,
                file_name: row.try_get("file_name")?,
                token_hash: row.try_get("token_hash")?,
                bytes: unsigned(row, "bytes")?,
                sha256: row.try_get("sha256")?,
            },
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
            downloaded_at: row.try_get("downloaded_at")?,
        })
    }
}
