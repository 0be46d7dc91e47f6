//! Invitations: links with which a new member chooses a password. Only the hash of the link's token is kept.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use super::DbError;
use crate::domain::ids::{InvitationId, TenantId, UserId};

/// An invitation that still works.
#[derive(Debug, Clone, FromRow)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Into this tenant.
    pub tenant_id: TenantId,
    /// Its name.
    pub tenant_name: String,
    /// For this user.
    pub user_id: UserId,
    /// Their e-mail address.
    pub email: String,
}

/// Adds an invitation; earlier ones of the same user to the same tenant die.
pub async fn insert(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    user_id: &UserId,
    token_hash: &[u8],
    expires_at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query("delete from invitations where tenant_id = $1 and user_id = $2 and used_at is null")
        .bind(tenant_id)
        .bind(user_id)
        .execute(&mut *conn)
        .await?;
    sqlx::query("insert into invitations (id, tenant_id, user_id, token_hash, expires_at) values ($1, $2, $3, $4, $5)")
        .bind(InvitationId::generate())
        .bind(tenant_id)
        .bind(user_id)
        .bind(token_hash)
        .bind(expires_at)
        .execute(conn)
        .await?;
    Ok(())
}

/// The invitation of a link, if it still works; locked until the transaction ends, so it is used once.
pub async fn lock_open(
    conn: &mut PgConnection,
    token_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Invitation>, DbError> {
    Ok(sqlx::query_as(
        "select i.id, i.tenant_id, t.name as tenant_name, i.user_id, u.email from invitations i \
         join tenants t on t.id = i.tenant_id join users u on u.id = i.user_id \
         where i.token_hash = $1 and i.used_at is null and i.expires_at > $2 for update of i",
    )
    .bind(token_hash)
    .bind(now)
    .fetch_optional(conn)
    .await?)
}

/// Ends an invitation because it was accepted.
pub async fn set_used(conn: &mut PgConnection, id: &InvitationId, at: DateTime<Utc>) -> Result<(), DbError> {
    sqlx::query("update invitations set used_at = $2 where id = $1")
        .bind(id)
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
}
