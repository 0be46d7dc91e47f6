//! Sign-ins. What a session may do is read with it at every request: a removed member, a changed role
//! or an ended session count at once.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use super::DbError;
use crate::domain::{
    ids::{SessionId, TenantId, UserId},
    user::Role,
};

/// What the secret of a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// A cookie.
    Browser,
    /// A refresh token.
    Api,
}

impl SessionKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Api => "api",
        }
    }
}

/// A sign-in to store.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Where it acts.
    pub tenant_id: TenantId,
    /// Who signed in.
    pub user_id: UserId,
    /// What its secret is.
    pub kind: SessionKind,
    /// SHA-256 of the cookie or refresh token.
    pub secret_hash: Vec<u8>,
    /// Dead from then on.
    pub expires_at: DateTime<Utc>,
}

/// A live session and what it may do now.
#[derive(Debug, Clone, FromRow)]
pub struct LiveSession {
    /// Its id.
    pub id: SessionId,
    /// Where it acts.
    pub tenant_id: TenantId,
    /// Who signed in.
    pub user_id: UserId,
    /// What they may do there.
    pub role: Role,
    /// May manage tenants and see workers.
    pub platform_admin: bool,
}

macro_rules! select_live {
    () => {
        "select s.id, s.tenant_id, s.user_id, m.role, u.platform_admin from sessions s \
         join memberships m on m.tenant_id = s.tenant_id and m.user_id = s.user_id \
         join users u on u.id = s.user_id"
    };
}

/// Stores a sign-in.
pub async fn insert(conn: &mut PgConnection, new: &NewSession) -> Result<(), DbError> {
    sqlx::query(
        "insert into sessions (id, tenant_id, user_id, kind, secret_hash, expires_at) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&new.id)
    .bind(&new.tenant_id)
    .bind(&new.user_id)
    .bind(new.kind.as_str())
    .bind(&new.secret_hash)
    .bind(new.expires_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// The live API session that an access token names.
pub async fn api_session(
    conn: &mut PgConnection,
    id: &SessionId,
    user_id: &UserId,
    now: DateTime<Utc>,
) -> Result<Option<LiveSession>, DbError> {
    Ok(sqlx::query_as(concat!(
        select_live!(),
        " where s.id = $1 and s.user_id = $2 and s.kind = 'api' and s.expires_at > $3"
    ))
    .bind(id)
    .bind(user_id)
    .bind(now)
    .fetch_optional(conn)
    .await?)
}

/// The live session with this secret.
pub async fn by_secret(
    conn: &mut PgConnection,
    kind: SessionKind,
    secret_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<LiveSession>, DbError> {
    Ok(sqlx::query_as(concat!(
        select_live!(),
        " where s.secret_hash = $1 and s.kind = $2 and s.expires_at > $3"
    ))
    .bind(secret_hash)
    .bind(kind.as_str())
    .bind(now)
    .fetch_optional(conn)
    .await?)
}

/// Exchanges a refresh token: the session gets `new_hash`, the old one is remembered as spent. False if no
/// live session has the old one (any more).
pub async fn rotate(
    conn: &mut PgConnection,
    id: &SessionId,
    old_hash: &[u8],
    new_hash: &[u8],
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<bool, DbError> {
    let rotated = sqlx::query(
        "with rotated as (
             update sessions set secret_hash = $3, last_used_at = $4, expires_at = $5
             where id = $1 and secret_hash = $2 returning id
         )
         insert into spent_refresh_tokens (secret_hash, session_id) select $2, id from rotated",
    )
    .bind(id)
    .bind(old_hash)
    .bind(new_hash)
    .bind(now)
    .bind(expires_at)
    .execute(conn)
    .await?;
    Ok(rotated.rows_affected() > 0)
}

/// Ends the session whose refresh token was exchanged before and now shows up again; returns it.
pub async fn end_by_spent(conn: &mut PgConnection, secret_hash: &[u8]) -> Result<Option<SessionId>, DbError> {
    Ok(sqlx::query_scalar(
        "delete from sessions where id = (select session_id from spent_refresh_tokens where secret_hash = $1) \
         returning id",
    )
    .bind(secret_hash)
    .fetch_optional(conn)
    .await?)
}

/// Ends a session.
pub async fn end(conn: &mut PgConnection, id: &SessionId) -> Result<(), DbError> {
    sqlx::query("delete from sessions where id = $1")
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends every session of a user.
pub async fn end_all_of(conn: &mut PgConnection, user_id: &UserId) -> Result<(), DbError> {
    sqlx::query("delete from sessions where user_id = $1")
        .bind(user_id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes up to `limit` sessions that are over; returns how many.
pub async fn prune(conn: &mut PgConnection, now: DateTime<Utc>, limit: i64) -> Result<u64, DbError> {
    let done = sqlx::query(
        "delete from sessions where id in (select id from sessions where expires_at <= $1 \
         order by expires_at limit $2 for update skip locked)",
    )
    .bind(now)
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
