//! Answers kept for repeated requests.
//!
//! A row is written by the transaction that carries the request out, so there is one exactly if the request had its
//! effect. While that transaction lasts it holds a lock in the key's name, which goes with it however it ends: a hub
//! that dies leaves nothing behind that would have to be taken over.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{FromRow, PgConnection};

use super::DbError;
use crate::domain::ids::TenantId;

/// How long an answer is kept.
pub const KEPT: TimeDelta = TimeDelta::hours(24);

/// Which request.
#[derive(Debug, Clone)]
pub struct RequestKey {
    /// Whose.
    pub tenant_id: TenantId,
    /// User or API key.
    pub actor: String,
    /// What the client calls it.
    pub key: String,
}

/// A request that was carried out, and its answer.
#[derive(Debug, Clone, FromRow)]
pub struct Earlier {
    /// Of the request then.
    pub request_hash: Vec<u8>,
    /// HTTP status.
    pub status: i16,
    /// The answer, sealed by the tenant's data key.
    pub sealed_body: Vec<u8>,
}

/// The answer that was given under this key, if there is one.
pub async fn find(conn: &mut PgConnection, key: &RequestKey, now: DateTime<Utc>) -> Result<Option<Earlier>, DbError> {
    Ok(sqlx::query_as(
        "select request_hash, status, sealed_body from idempotency_keys \
         where tenant_id = $1 and actor = $2 and key = $3 and created_at >= $4 and status is not null",
    )
    .bind(&key.tenant_id)
    .bind(&key.actor)
    .bind(&key.key)
    .bind(now - KEPT)
    .fetch_optional(conn)
    .await?)
}

/// Takes a key until the transaction ends. False if another transaction has it, or has given its answer meanwhile.
pub async fn hold(conn: &mut PgConnection, key: &RequestKey, now: DateTime<Utc>) -> Result<bool, DbError> {
    let locked: bool = sqlx::query_scalar(
        "select pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', 'idempotency', $1, $2, $3), 0))",
    )
    .bind(&key.tenant_id)
    .bind(&key.actor)
    .bind(&key.key)
    .fetch_one(&mut *conn)
    .await?;
    // A statement of its own: it must see what whoever had the lock before has committed.
    Ok(locked && find(conn, key, now).await?.is_none())
}

/// Keeps the answer, with all else that the transaction does; false if there is one already.
pub async fn keep(
    conn: &mut PgConnection,
    key: &RequestKey,
    answer: &Earlier,
    now: DateTime<Utc>,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "insert into idempotency_keys as k (tenant_id, actor, key, request_hash, status, sealed_body, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7) \
         on conflict (tenant_id, actor, key) do update \
             set request_hash = excluded.request_hash, status = excluded.status, sealed_body = excluded.sealed_body, \
                 created_at = excluded.created_at \
             where k.created_at < $8 or k.status is null",
    )
    .bind(&key.tenant_id)
    .bind(&key.actor)
    .bind(&key.key)
    .bind(&answer.request_hash)
    .bind(answer.status)
    .bind(&answer.sealed_body)
    .bind(now)
    .bind(now - KEPT)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Removes up to `limit` answers that are kept long enough; returns how many.
pub async fn prune(conn: &mut PgConnection, now: DateTime<Utc>, limit: i64) -> Result<u64, DbError> {
    let done = sqlx::query(
        "delete from idempotency_keys where ctid = any(array(select ctid from idempotency_keys where created_at < $1 \
         order by created_at limit $2 for update skip locked))",
    )
    .bind(now - KEPT)
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
