//! The `workers` table: who is there, written by the workers' own heartbeats.

use sqlx::{FromRow, PgConnection, Row, postgres::PgRow};

use super::{DbError, Page};
use crate::domain::{
    ids::{StorageId, WorkerId},
    worker::{DiskReport, Worker},
};

/// What a worker says about itself.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// Its identity.
    pub id: WorkerId,
    /// What its host calls itself.
    pub hostname: String,
    /// Version of xVault it runs.
    pub version: String,
    /// Base URL users download from.
    pub url: String,
    /// Base URL hubs reach it under, if that is another one.
    pub internal_url: Option<String>,
    /// Jobs it runs at once, at most.
    pub concurrency: i32,
    /// Jobs it runs just now.
    pub running: i32,
    /// Total and free bytes of its storage, if known.
    pub storage: Option<(i64, i64)>,
    /// Why it takes no backups just now.
    pub paused_reason: Option<String>,
    /// True while it shuts down.
    pub draining: bool,
}

/// Registers the worker or refreshes what is known of it.
pub async fn heartbeat(conn: &mut PgConnection, beat: &Heartbeat) -> Result<(), DbError> {
    sqlx::query(
        "insert into workers (id, hostname, version, url, internal_url, concurrency, running, storage_total_bytes, \
             storage_free_bytes, paused_reason, draining) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         on conflict (id) do update set hostname = excluded.hostname, version = excluded.version, \
             url = excluded.url, internal_url = excluded.internal_url, concurrency = excluded.concurrency, \
             running = excluded.running, storage_total_bytes = excluded.storage_total_bytes, \
             storage_free_bytes = excluded.storage_free_bytes, paused_reason = excluded.paused_reason, \
             draining = excluded.draining, last_seen_at = now(), stopped_at = null",
    )
    .bind(&beat.id)
    .bind(&beat.hostname)
    .bind(&beat.version)
    .bind(&beat.url)
    .bind(&beat.internal_url)
    .bind(beat.concurrency)
    .bind(beat.running)
    .bind(beat.storage.map(|(total, _)| total))
    .bind(beat.storage.map(|(_, free)| free))
    .bind(&beat.paused_reason)
    .bind(beat.draining)
    .execute(conn)
    .await?;
    Ok(())
}

/// Says goodbye: the worker has stopped.
pub async fn stopped(conn: &mut PgConnection, id: &WorkerId) -> Result<(), DbError> {
    sqlx::query(
        "update workers set stopped_at = now(), last_seen_at = now(), running = 0, draining = false where id = $1",
    )
    .bind(id)
    .execute(conn)
    .await?;
    Ok(())
}

/// What one comparison of disk and catalogue found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Snapshots that no job stands behind, still there.
    pub orphans: i32,
    /// Such as were removed this time.
    pub removed: i64,
    /// Snapshots the catalogue has lost.
    pub unclaimed: i32,
}

/// Writes down what a comparison of disk and catalogue found.
pub async fn reconciled(conn: &mut PgConnection, id: &WorkerId, found: Reconciled) -> Result<(), DbError> {
    sqlx::query(
        "update workers set reconciled_at = now(), orphans = $2, orphans_removed = orphans_removed + $3, \
             unclaimed = $4 where id = $1",
    )
    .bind(id)
    .bind(found.orphans)
    .bind(found.removed)
    .bind(found.unclaimed)
    .execute(conn)
    .await?;
    Ok(())
}

/// Which storage the snapshots of a worker lie in, if it has ever had one.
pub async fn storage_of(conn: &mut PgConnection, id: &WorkerId) -> Result<Option<StorageId>, DbError> {
    let found: Option<Option<StorageId>> = sqlx::query_scalar("select storage_id from workers where id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await?;
    Ok(found.flatten())
}

/// Notes which storage the snapshots of a worker lie in.
pub async fn set_storage(conn: &mut PgConnection, id: &WorkerId, storage: &StorageId) -> Result<(), DbError> {
    sqlx::query("update workers set storage_id = $2 where id = $1 and storage_id is distinct from $2")
        .bind(id)
        .bind(storage)
        .execute(conn)
        .await?;
    Ok(())
}

/// One worker. Workers belong to the platform, not to a tenant.
pub async fn get(conn: &mut PgConnection, id: &WorkerId) -> Result<Option<Worker>, DbError> {
    Ok(sqlx::query_as("select * from workers where id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await?)
}

/// Every worker ever seen, newest identity first.
pub async fn list(conn: &mut PgConnection, page: &Page) -> Result<Vec<Worker>, DbError> {
    Ok(
        sqlx::query_as("select * from workers where ($1::text is null or id < $1) order by id desc limit $2")
            .bind(&page.after)
            .bind(page.limit)
            .fetch_all(conn)
            .await?,
    )
}

impl FromRow<'_, PgRow> for Worker {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Worker {
            id: row.try_get("id")?,
            hostname: row.try_get("hostname")?,
            version: row.try_get("version")?,
            url: row.try_get("url")?,
            internal_url: row.try_get("internal_url")?,
            concurrency: row.try_get("concurrency")?,
            running: row.try_get("running")?,
            storage_total_bytes: row.try_get("storage_total_bytes")?,
            storage_free_bytes: row.try_get("storage_free_bytes")?,
            paused_reason: row.try_get("paused_reason")?,
            draining: row.try_get("draining")?,
            first_seen_at: row.try_get("first_seen_at")?,
            last_seen_at: row.try_get("last_seen_at")?,
            stopped_at: row.try_get("stopped_at")?,
            disk: DiskReport {
                reconciled_at: row.try_get("reconciled_at")?,
                orphans: row.try_get("orphans")?,
                orphans_removed: row.try_get("orphans_removed")?,
                unclaimed: row.try_get("unclaimed")?,
            },
        })
    }
}
