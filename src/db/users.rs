//! People who can sign in. A user belongs to no tenant; `memberships` says where they act.

use sqlx::{FromRow, PgConnection};

use super::DbError;
use crate::domain::ids::UserId;

/// The constraint that two users with one e-mail address run into.
pub const EMAIL_UNIQUE: &str = "users_email_unique";

/// A person.
#[derive(Debug, Clone, FromRow)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Lower case.
    pub email: String,
    /// argon2id; `None` until they accept their invitation.
    pub password_hash: Option<String>,
    /// May manage tenants and see workers.
    pub platform_admin: bool,
}

/// Adds a user.
pub async fn insert(conn: &mut PgConnection, user: &User) -> Result<(), DbError> {
    sqlx::query("insert into users (id, email, password_hash, platform_admin) values ($1, $2, $3, $4)")
        .bind(&user.id)
        .bind(&user.email)
        .bind(&user.password_hash)
        .bind(user.platform_admin)
        .execute(conn)
        .await?;
    Ok(())
}

/// One user.
pub async fn get(conn: &mut PgConnection, id: &UserId) -> Result<Option<User>, DbError> {
    Ok(
        sqlx::query_as("select id, email, password_hash, platform_admin from users where id = $1")
            .bind(id)
            .fetch_optional(conn)
            .await?,
    )
}

/// The user with an e-mail address, given in lower case.
pub async fn by_email(conn: &mut PgConnection, email: &str) -> Result<Option<User>, DbError> {
    Ok(
        sqlx::query_as("select id, email, password_hash, platform_admin from users where email = $1")
            .bind(email)
            .fetch_optional(conn)
            .await?,
    )
}

/// Sets a password.
pub async fn set_password(conn: &mut PgConnection, id: &UserId, hash: &str) -> Result<(), DbError> {
    sqlx::query("update users set password_hash = $2 where id = $1")
        .bind(id)
        .bind(hash)
        .execute(conn)
        .await?;
    Ok(())
}

/// True if nobody exists yet. Locks the table against a second process that asks the same, until the
/// transaction ends.
pub async fn lock_if_none(conn: &mut PgConnection) -> Result<bool, DbError> {
    sqlx::query("lock table users in share row exclusive mode")
        .execute(&mut *conn)
        .await?;
    Ok(sqlx::query_scalar("select not exists (select from users)")
        .fetch_one(conn)
        .await?)
}

/// Removes a user who is member of nothing any more, unless they administrate the platform.
pub async fn delete_if_orphaned(conn: &mut PgConnection, id: &UserId) -> Result<(), DbError> {
    sqlx::query(
        "delete from users u where id = $1 and not platform_admin \
         and not exists (select from memberships m where m.user_id = u.id)",
    )
    .bind(id)
    .execute(conn)
    .await?;
    Ok(())
}
