//! The catalogue: one row per stored backup.

use std::collections::HashMap;

use sqlx::{FromRow, PgConnection, Row, postgres::PgRow, types::Json};

use super::{DbError, Page, unsigned::unsigned};
use crate::domain::{
    dump::DumpFile,
    ids::{JobId, SnapshotId, SourceId, TenantId},
    snapshot::{Locator, NewSnapshot, Snapshot, SnapshotKey},
};

mod standing;
mod state;
mod verification;

pub use standing::{Standing, known_of, some_on_worker, standing};
pub use state::{OnDisk, Verdict, Verified, judge, mark_disproved, mark_faulty, on_worker, set_deleting, set_verified};
pub use verification::{Pace, set_pace, take_pace, take_unverified, verifying_workers};

/// Which snapshots to list; `None` means any.
#[derive(Debug, Clone, Default)]
pub struct SnapshotFilter {
    /// Of this source.
    pub source_id: Option<SourceId>,
    /// Made by this job.
    pub job_id: Option<JobId>,
}

/// How much of something a tenant has stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Snapshots.
    pub snapshots: i64,
    /// Bytes they take on storage.
    pub bytes_stored: i64,
}

/// Registers what a backup stored. Called in the transaction that ends the job, and nowhere else.
pub async fn insert(conn: &mut PgConnection, new: &NewSnapshot) -> Result<(), DbError> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let Locator::LocalFs { worker_id, local_path } = &new.locator;
    sqlx::query(
        "insert into snapshots (id, tenant_id, source_id, job_id, state, bytes_source, bytes_stored, files, sha256, \
             manifest_sha256, storage_backend, worker_id, local_path, encryption, backup_header, index_header, warnings, dumps) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'local_fs', $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(&new.key.snapshot_id)
    .bind(&new.key.tenant_id)
    .bind(&new.key.source_id)
    .bind(&new.job_id)
    .bind(new.state)
    .bind(number(new.bytes_source))
    .bind(number(new.bytes_stored))
    .bind(number(new.files))
    .bind(&new.sha256)
    .bind(&new.manifest_sha256)
    .bind(worker_id)
    .bind(local_path)
    .bind(Json(&new.encryption))
    .bind(&new.backup_header)
    .bind(&new.index_header)
    .bind(Json(&new.warnings))
    .bind(Json(&new.dumps))
    .execute(conn)
    .await?;
    Ok(())
}

/// One snapshot of a tenant.
pub async fn get(conn: &mut PgConnection, tenant_id: &TenantId, id: &SnapshotId) -> Result<Option<Snapshot>, DbError> {
    Ok(
        sqlx::query_as("select * from snapshots where tenant_id = $1 and id = $2")
            .bind(tenant_id)
            .bind(id)
            .fetch_optional(conn)
            .await?,
    )
}

/// Snapshots of a tenant, newest first.
pub async fn list(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    filter: &SnapshotFilter,
    page: &Page,
) -> Result<Vec<Snapshot>, DbError> {
    Ok(sqlx::query_as(
        "select * from snapshots where tenant_id = $1 and ($2::text is null or source_id = $2) \
         and ($3::text is null or job_id = $3) and ($4::text is null or id < $4) order by id desc limit $5",
    )
    .bind(tenant_id)
    .bind(&filter.source_id)
    .bind(&filter.job_id)
    .bind(&page.after)
    .bind(page.limit)
    .fetch_all(conn)
    .await?)
}

/// How much a tenant has stored, of one source or of all.
pub async fn totals(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    source_id: Option<&SourceId>,
) -> Result<Totals, DbError> {
    let (snapshots, bytes_stored) = sqlx::query_as(
        "select count(*), coalesce(sum(bytes_stored), 0)::bigint from snapshots \
         where tenant_id = $1 and ($2::text is null or source_id = $2)",
    )
    .bind(tenant_id)
    .bind(source_id)
    .fetch_one(conn)
    .await?;
    Ok(Totals {
        snapshots,
        bytes_stored,
    })
}

/// The dumps of databases in each of these snapshots of a tenant.
pub async fn dumps_of(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    ids: &[SnapshotId],
) -> Result<HashMap<SnapshotId, Vec<DumpFile>>, DbError> {
    let rows: Vec<(SnapshotId, Json<Vec<DumpFile>>)> =
        sqlx::query_as("select id, dumps from snapshots where tenant_id = $1 and id = any($2)")
            .bind(tenant_id)
            .bind(ids)
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|(id, dumps)| (id, dumps.0)).collect())
}

/// Pins or unpins; false if the tenant has no such snapshot.
pub async fn set_pinned(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    id: &SnapshotId,
    pinned: bool,
) -> Result<bool, DbError> {
    let done = sqlx::query("update snapshots set pinned = $3 where tenant_id = $1 and id = $2")
        .bind(tenant_id)
        .bind(id)
        .bind(pinned)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Forgets a snapshot whose files are gone; its exports are forgotten with it.
pub async fn delete(conn: &mut PgConnection, tenant_id: &TenantId, id: &SnapshotId) -> Result<(), DbError> {
    sqlx::query("delete from snapshots where tenant_id = $1 and id = $2")
        .bind(tenant_id)
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// True if the catalogue has this snapshot.
pub async fn is_known(conn: &mut PgConnection, key: &SnapshotKey) -> Result<bool, DbError> {
    Ok(
        sqlx::query_scalar("select exists (select from snapshots where tenant_id = $1 and source_id = $2 and id = $3)")
            .bind(&key.tenant_id)
            .bind(&key.source_id)
            .bind(&key.snapshot_id)
            .fetch_one(conn)
            .await?,
    )
}

impl FromRow<'_, PgRow> for Snapshot {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Snapshot {
            new: NewSnapshot {
                key: SnapshotKey {
                    tenant_id: row.try_get("tenant_id")?,
                    source_id: row.try_get("source_id")?,
                    snapshot_id: row.try_get("id")?,
                },
                job_id: row.try_get("job_id")?,
                state: row.try_get("state")?,
                bytes_source: unsigned(row, "bytes_source")?,
                bytes_stored: unsigned(row, "bytes_stored")?,
                files: unsigned(row, "files")?,
                sha256: row.try_get("sha256")?,
                manifest_sha256: row.try_get("manifest_sha256")?,
                locator: Locator::LocalFs {
                    worker_id: row.try_get("worker_id")?,
                    local_path: row.try_get("local_path")?,
                },
                encryption: row.try_get::<Json<_>, _>("encryption")?.0,
                backup_header: row.try_get("backup_header")?,
                index_header: row.try_get("index_header")?,
                warnings: row.try_get::<Json<_>, _>("warnings")?.0,
                dumps: row.try_get::<Json<_>, _>("dumps")?.0,
            },
            created_at: row.try_get("created_at")?,
            pinned: row.try_get("pinned")?,
            verified_at: row.try_get("verified_at")?,
            verified_depth: row.try_get("verified_depth")?,
            restore_proof: row.try_get::<Option<Json<_>>, _>("restore_proof")?.map(|proof| proof.0),
            fault: row.try_get("fault")?,
        })
    }
}
