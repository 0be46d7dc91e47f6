//! The `workers` table: who is there, written by the workers' own heartbeats.

use sqlx::{FromRow, PgConnection, Row, postgres::PgRow};

use super::{DbError, Page};
use crate::domain::{
    ids::{StorageId, WorkerId},
    worker::{DiskReport, Wish, Worker},
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
    /// True while its process shuts down.
    pub stopping: bool,
}

/// Registers the worker or refreshes what is known of it; answers what the operator wants of it.
/// Nothing is written about a worker that was retired.
pub async fn heartbeat(conn: &mut PgConnection, beat: &Heartbeat) -> Result<Wish, DbError> {
    let drain: Option<bool> = sqlx::query_scalar(
        "insert into workers (id, hostname, version, url, internal_url, concurrency, running, storage_total_bytes, \
             storage_free_bytes, paused_reason, draining) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         on conflict (id) do update set hostname = excluded.hostname, version = excluded.version, \
             url = excluded.url, internal_url = excluded.internal_url, concurrency = excluded.concurrency, \
             running = excluded.running, storage_total_bytes = excluded.storage_total_bytes, \
             storage_free_bytes = excluded.storage_free_bytes, paused_reason = excluded.paused_reason, \
             draining = excluded.draining, last_seen_at = now(), stopped_at = null \
         where workers.retired_at is null returning drain_requested_at is not null",
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
    .bind(beat.stopping)
    .fetch_optional(conn)
    .await?;
    Ok(match drain {
        Some(false) => Wish::Work,
        Some(true) => Wish::Drain,
        None => Wish::Retire,
    })
}

/// Says goodbye: the worker has stopped.
pub async fn stopped(conn: &mut PgConnection, id: &WorkerId) -> Result<(), DbError> {
    sqlx::query(
        "update workers set stopped_at = now(), last_seen_at = now(), running = 0, draining = false \
         where id = $1 and retired_at is null",
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

/// One worker, locked until the transaction ends.
pub async fn lock(conn: &mut PgConnection, id: &WorkerId) -> Result<Option<Worker>, DbError> {
    Ok(sqlx::query_as("select * from workers where id = $1 for update")
        .bind(id)
        .fetch_optional(conn)
        .await?)
}

/// One worker, which cannot be retired until the transaction ends. Its heartbeats go on.
pub async fn hold(conn: &mut PgConnection, id: &WorkerId) -> Result<Option<Worker>, DbError> {
    Ok(sqlx::query_as("select * from workers where id = $1 for key share")
        .bind(id)
        .fetch_optional(conn)
        .await?)
}

/// Workers that are not retired, newest identity first, at most 1,000.
pub async fn fleet(conn: &mut PgConnection) -> Result<Vec<Worker>, DbError> {
    Ok(
        sqlx::query_as("select * from workers where retired_at is null order by id desc limit 1000")
            .fetch_all(conn)
            .await?,
    )
}

/// Lets a worker take no new backups and probes, or take them again. Asking twice changes nothing.
pub async fn set_drained(conn: &mut PgConnection, id: &WorkerId, drained: bool) -> Result<(), DbError> {
    sqlx::query(
        "update workers set drain_requested_at = case when $2 then coalesce(drain_requested_at, now()) end \
         where id = $1",
    )
    .bind(id)
    .bind(drained)
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the life of a worker; what that means for the rest of the catalogue is in `db::retirement`.
pub async fn set_retired(conn: &mut PgConnection, id: &WorkerId) -> Result<(), DbError> {
    sqlx::query("update workers set retired_at = now(), running = 0 where id = $1")
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
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
            stopping: row.try_get("draining")?,
            drain_requested_at: row.try_get("drain_requested_at")?,
            retired_at: row.try_get("retired_at")?,
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
