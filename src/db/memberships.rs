//! Who may do what in which tenant.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use super::{DbError, Page};
use crate::domain::{
    ids::{TenantId, UserId},
    user::Role,
};

/// The constraint that adding somebody twice runs into.
pub const ONCE: &str = "memberships_pkey";

/// A member with what is shown of them.
#[derive(Debug, Clone, FromRow)]
pub struct Member {
    /// The user.
    pub user_id: UserId,
    /// Their e-mail address.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// True while an invitation waits for them.
    pub invited: bool,
    /// When they joined.
    pub created_at: DateTime<Utc>,
}

macro_rules! select_members {
    () => {
        "select m.user_id, u.email, m.role, m.created_at, exists (select from invitations i \
             where i.tenant_id = m.tenant_id and i.user_id = m.user_id and i.used_at is null) as invited \
         from memberships m join users u on u.id = m.user_id where m.tenant_id = $1"
    };
}

/// Adds a user to a tenant.
pub async fn insert(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    user_id: &UserId,
    role: Role,
) -> Result<(), DbError> {
    sqlx::query("insert into memberships (tenant_id, user_id, role) values ($1, $2, $3)")
        .bind(tenant_id)
        .bind(user_id)
        .bind(role)
        .execute(conn)
        .await?;
    Ok(())
}

/// One member of a tenant.
pub async fn get(conn: &mut PgConnection, tenant_id: &TenantId, user_id: &UserId) -> Result<Option<Member>, DbError> {
    Ok(sqlx::query_as(concat!(select_members!(), " and m.user_id = $2"))
        .bind(tenant_id)
        .bind(user_id)
        .fetch_optional(conn)
        .await?)
}

/// Members of a tenant, newest user first.
pub async fn list(conn: &mut PgConnection, tenant_id: &TenantId, page: &Page) -> Result<Vec<Member>, DbError> {
    Ok(sqlx::query_as(concat!(
        select_members!(),
        " and ($2::text is null or m.user_id < $2) order by m.user_id desc limit $3"
    ))
    .bind(tenant_id)
    .bind(&page.after)
    .bind(page.limit)
    .fetch_all(conn)
    .await?)
}

/// The tenant a user joined first: where signing in takes them.
pub async fn first_of(conn: &mut PgConnection, user_id: &UserId) -> Result<Option<TenantId>, DbError> {
    Ok(sqlx::query_scalar(
        "select tenant_id from memberships where user_id = $1 order by created_at, tenant_id limit 1",
    )
    .bind(user_id)
    .fetch_optional(conn)
    .await?)
}

/// The owners of a tenant, locked until the transaction ends, so that two of them cannot remove each other.
pub async fn lock_owners(conn: &mut PgConnection, tenant_id: &TenantId) -> Result<Vec<UserId>, DbError> {
    Ok(sqlx::query_scalar(
        "select user_id from memberships where tenant_id = $1 and role = 'owner' order by user_id for update",
    )
    .bind(tenant_id)
    .fetch_all(conn)
    .await?)
}

/// Changes what a member may do.
pub async fn set_role(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    user_id: &UserId,
    role: Role,
) -> Result<(), DbError> {
    sqlx::query("update memberships set role = $3 where tenant_id = $1 and user_id = $2")
        .bind(tenant_id)
        .bind(user_id)
        .bind(role)
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes a member with everything that let them in: sessions, API keys and invitations of this tenant.
pub async fn delete(conn: &mut PgConnection, tenant_id: &TenantId, user_id: &UserId) -> Result<(), DbError> {
    for statement in [
        "delete from sessions where tenant_id = $1 and user_id = $2",
        "delete from api_keys where tenant_id = $1 and created_by = $2",
        "delete from invitations where tenant_id = $1 and user_id = $2",
        "delete from memberships where tenant_id = $1 and user_id = $2",
    ] {
        sqlx::query(statement)
            .bind(tenant_id)
            .bind(user_id)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
