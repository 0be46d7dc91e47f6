//! API keys: only their hashes.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use super::{DbError, Page};
use crate::domain::{
    ids::{KeyId, TenantId, UserId},
    user::Role,
};

/// An API key as stored, without its hash.
#[derive(Debug, Clone, FromRow)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// What it is for.
    pub name: String,
    /// The most it may do.
    pub role: Role,
    /// Who made it.
    pub created_by: UserId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Dead from then on.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A key that works, with the role of whoever made it: it may do what both allow.
#[derive(Debug, Clone, FromRow)]
pub struct LiveKey {
    /// Its id.
    pub id: KeyId,
    /// Where it acts.
    pub tenant_id: TenantId,
    /// Who made it.
    pub user_id: UserId,
    /// The most it may do.
    pub role: Role,
    /// What its maker may do now.
    pub maker_role: Role,
}

/// Adds a key.
pub async fn insert(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    key: &ApiKey,
    secret_hash: &[u8],
) -> Result<(), DbError> {
    sqlx::query(
        "insert into api_keys (id, tenant_id, created_by, name, role, secret_hash, created_at, expires_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&key.id)
    .bind(tenant_id)
    .bind(&key.created_by)
    .bind(&key.name)
    .bind(key.role)
    .bind(secret_hash)
    .bind(key.created_at)
    .bind(key.expires_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Keys of a tenant, newest first.
pub async fn list(conn: &mut PgConnection, tenant_id: &TenantId, page: &Page) -> Result<Vec<ApiKey>, DbError> {
    Ok(sqlx::query_as(
        "select id, name, role, created_by, created_at, expires_at, last_used_at from api_keys \
         where tenant_id = $1 and ($2::text is null or id < $2) order by id desc limit $3",
    )
    .bind(tenant_id)
    .bind(&page.after)
    .bind(page.limit)
    .fetch_all(conn)
    .await?)
}

/// Ends a key; false if the tenant has no such key.
pub async fn delete(conn: &mut PgConnection, tenant_id: &TenantId, id: &KeyId) -> Result<bool, DbError> {
    let done = sqlx::query("delete from api_keys where tenant_id = $1 and id = $2")
        .bind(tenant_id)
        .bind(id)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// The key with this hash, if it still works and its maker is still a member. Notes its use, at most once a minute.
pub async fn authenticate(
    conn: &mut PgConnection,
    secret_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<LiveKey>, DbError> {
    let key: Option<LiveKey> = sqlx::query_as(
        "select k.id, k.tenant_id, k.created_by as user_id, k.role, m.role as maker_role from api_keys k \
         join memberships m on m.tenant_id = k.tenant_id and m.user_id = k.created_by \
         where k.secret_hash = $1 and (k.expires_at is null or k.expires_at > $2)",
    )
    .bind(secret_hash)
    .bind(now)
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(key) = &key {
        sqlx::query(
            "update api_keys set last_used_at = $2 \
             where id = $1 and (last_used_at is null or last_used_at < $2 - interval '1 minute')",
        )
        .bind(&key.id)
        .bind(now)
        .execute(conn)
        .await?;
    }
    Ok(key)
}
