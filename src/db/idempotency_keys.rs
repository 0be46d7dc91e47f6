//! Answers kept for repeated requests.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{FromRow, PgConnection};

use super::DbError;
use crate::domain::ids::TenantId;

/// How long an answer is kept.
pub const KEPT: TimeDelta = TimeDelta::hours(24);

/// A request without answer after this time died with its hub; longer than any request may take.
pub const ABANDONED_AFTER: TimeDelta = TimeDelta::seconds(60);

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

/// What is known of a key that was used before.
#[derive(Debug, Clone, FromRow)]
pub struct Earlier {
    /// Of the request then.
    pub request_hash: Vec<u8>,
    /// `None` while it is still being answered.
    pub status: Option<i16>,
    /// The answer, sealed by the tenant's data key.
    pub sealed_body: Option<Vec<u8>>,
}

/// Takes a key for a request; if it is taken, says by what.
pub async fn begin(
    conn: &mut PgConnection,
    key: &RequestKey,
    request_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Earlier>, DbError> {
    let taken = sqlx::query(
        "insert into idempotency_keys as k (tenant_id, actor, key, request_hash, created_at) values ($1, $2, $3, $4, $5) \
         on conflict (tenant_id, actor, key) do update \
             set request_hash = excluded.request_hash, status = null, sealed_body = null, created_at = excluded.created_at \
             where k.created_at < $6 or (k.status is null and k.created_at < $7)",
    )
    .bind(&key.tenant_id)
    .bind(&key.actor)
    .bind(&key.key)
    .bind(request_hash)
    .bind(now)
    .bind(now - KEPT)
    .bind(now - ABANDONED_AFTER)
    .execute(&mut *conn)
    .await?;
    if taken.rows_affected() > 0 {
        return Ok(None);
    }
    let earlier = sqlx::query_as(
        "select request_hash, status, sealed_body from idempotency_keys where tenant_id = $1 and actor = $2 and key = $3",
    )
    .bind(&key.tenant_id)
    .bind(&key.actor)
    .bind(&key.key)
    .fetch_optional(conn)
    .await?;
    // Gone between the two statements: the request that held it was given up this very moment. Saying
    // "still being answered" makes the client come again.
    Ok(Some(earlier.unwrap_or(Earlier {
        request_hash: request_hash.to_vec(),
        status: None,
        sealed_body: None,
    })))
}

/// Keeps the answer.
pub async fn finish(conn: &mut PgConnection, key: &RequestKey, status: u16, sealed_body: &[u8]) -> Result<(), DbError> {
    sqlx::query(
        "update idempotency_keys set status = $4, sealed_body = $5 where tenant_id = $1 and actor = $2 and key = $3",
    )
    .bind(&key.tenant_id)
    .bind(&key.actor)
    .bind(&key.key)
    .bind(i16::try_from(status).unwrap_or(i16::MAX))
    .bind(sealed_body)
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a key back: its request was not carried out.
pub async fn give_up(conn: &mut PgConnection, key: &RequestKey) -> Result<(), DbError> {
    sqlx::query("delete from idempotency_keys where tenant_id = $1 and actor = $2 and key = $3 and status is null")
        .bind(&key.tenant_id)
        .bind(&key.actor)
        .bind(&key.key)
        .execute(conn)
        .await?;
    Ok(())
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
