//! What is known of a snapshot's files: by the looks of the disk, and by verification.

use sqlx::{FromRow, PgConnection, Row, postgres::PgRow, types::Json};

use crate::{
    db::DbError,
    domain::{
        ids::{SnapshotId, TenantId, WorkerId},
        restore_proof::RestoreProof,
        snapshot::{SnapshotKey, SnapshotState, VerifyDepth},
    },
};

/// What the catalogue expects on a disk.
#[derive(Debug, Clone)]
pub struct OnDisk {
    /// Which snapshot.
    pub key: SnapshotKey,
    /// What is known of it.
    pub state: SnapshotState,
    /// True if reading its content showed damage.
    pub fault_in_content: bool,
    /// True if the damage is only that the disk failed to give its bytes.
    pub unreadable: bool,
    /// SHA-256 of `backup.tar.zst.enc`, lower-case hex.
    pub sha256: String,
    /// SHA-256 of `manifest.json`, lower-case hex.
    pub manifest_sha256: String,
}

/// A snapshot is as it was stored, or there is something to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What it is from now on.
    pub state: SnapshotState,
    /// Why it is damaged or missing; `None` if it is neither.
    pub fault: Option<String>,
}

/// What the catalogue expects on a worker's disk, in order of id, `limit` at a time after `after`:
/// the worker compares it with what is there. Across tenants, because a disk is. Without those being removed.
pub async fn on_worker(
    conn: &mut PgConnection,
    worker_id: &WorkerId,
    after: Option<&SnapshotId>,
    limit: i64,
) -> Result<Vec<OnDisk>, DbError> {
    Ok(sqlx::query_as(
        "select tenant_id, source_id, id, state, fault_in_content, unreadable, sha256, manifest_sha256 from snapshots \
         where worker_id = $1 and ($2::text is null or id > $2) and state <> 'deleting' order by id limit $3",
    )
    .bind(worker_id)
    .bind(after)
    .bind(limit)
    .fetch_all(conn)
    .await?)
}

/// Writes down what the looks of the disk say of a snapshot that was `from` before; false if it is
/// something else by now.
pub async fn judge(
    conn: &mut PgConnection,
    key: &SnapshotKey,
    from: SnapshotState,
    verdict: &Verdict,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "update snapshots set state = $4, fault = $5, \
             fault_in_content = fault_in_content and $4 in ('damaged', 'missing'), \
             unreadable = unreadable and (state, $4) in (('missing', 'damaged'), ('damaged', 'missing')) \
         where tenant_id = $1 and id = $2 and state = $3",
    )
    .bind(&key.tenant_id)
    .bind(&key.snapshot_id)
    .bind(from)
    .bind(verdict.state)
    .bind(&verdict.fault)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Writes down what a job found when it read the snapshot: `state` is damaged or missing; `unreadable` if the damage
/// is only that the disk failed to give its bytes. False if it is gone or being removed.
pub async fn mark_faulty(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    id: &SnapshotId,
    state: SnapshotState,
    unreadable: bool,
    fault: &str,
) -> Result<bool, DbError> {
    // What was read and found wrong outweighs what could not be read.
    let done = sqlx::query(
        "update snapshots set state = $3, fault = $4, fault_in_content = fault_in_content or $3 = 'damaged', \
             unreadable = $5 and (unreadable or not fault_in_content) \
         where tenant_id = $1 and id = $2 and state <> 'deleting'",
    )
    .bind(tenant_id)
    .bind(id)
    .bind(state)
    .bind(fault)
    .bind(unreadable)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes that a snapshot is being removed; false if it is gone. Locks its row.
pub async fn set_deleting(conn: &mut PgConnection, tenant_id: &TenantId, id: &SnapshotId) -> Result<bool, DbError> {
    let done = sqlx::query("update snapshots set state = 'deleting' where tenant_id = $1 and id = $2")
        .bind(tenant_id)
        .bind(id)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Writes down that the dumps in a snapshot, loaded, are not what was dumped. Only loading them again can take that back.
/// False if it is gone or being removed.
pub async fn mark_disproved(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    id: &SnapshotId,
    fault: &str,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "update snapshots set state = 'damaged', fault = $3, fault_in_content = true, fault_in_restore = true, \
             unreadable = false \
         where tenant_id = $1 and id = $2 and state <> 'deleting'",
    )
    .bind(tenant_id)
    .bind(id)
    .bind(fault)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What a successful verification found.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'a> {
    /// What the snapshot is, `complete` or `partial`.
    pub state: SnapshotState,
    /// What was looked at.
    pub depth: VerifyDepth,
    /// Set if its dumps were loaded too.
    pub proof: Option<&'a RestoreProof>,
}

/// Notes a successful verification. A snapshot that was thought damaged or missing is whole again, as far as it ever was;
/// unless its dumps were found wrong when they were loaded, and this time were not loaded.
pub async fn set_verified(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    id: &SnapshotId,
    verified: &Verified<'_>,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "update snapshots set verified_at = now(), verified_depth = $4, unreadable = false, \
             restore_proof = coalesce($5, restore_proof), \
             fault = case when fault_in_restore and $5 is null then fault end, \
             fault_in_content = fault_in_restore and $5 is null, \
             fault_in_restore = fault_in_restore and $5 is null, \
             state = case when state = 'deleting' then state \
                          when fault_in_restore and $5 is null then 'damaged' else $3 end \
         where tenant_id = $1 and id = $2",
    )
    .bind(tenant_id)
    .bind(id)
    .bind(verified.state)
    .bind(verified.depth)
    .bind(verified.proof.map(Json))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

impl FromRow<'_, PgRow> for OnDisk {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            key: SnapshotKey {
                tenant_id: row.try_get("tenant_id")?,
                source_id: row.try_get("source_id")?,
                snapshot_id: row.try_get("id")?,
            },
            state: row.try_get("state")?,
            fault_in_content: row.try_get("fault_in_content")?,
            unreadable: row.try_get("unreadable")?,
            sha256: row.try_get("sha256")?,
            manifest_sha256: row.try_get("manifest_sha256")?,
        })
    }
}
