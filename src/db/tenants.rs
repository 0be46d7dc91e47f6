//! Tenants.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use super::{DbError, Page};
use crate::domain::ids::TenantId;

/// A tenant.
#[derive(Debug, Clone, FromRow)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When the owner first downloaded the recovery sheet.
    pub recovery_sheet_at: Option<DateTime<Utc>>,
}

/// Adds a tenant.
pub async fn insert(conn: &mut PgConnection, id: &TenantId, name: &str) -> Result<Tenant, DbError> {
    Ok(
        sqlx::query_as("insert into tenants (id, name) values ($1, $2) returning *")
            .bind(id)
            .bind(name)
            .fetch_one(conn)
            .await?,
    )
}

/// One tenant.
pub async fn get(conn: &mut PgConnection, id: &TenantId) -> Result<Option<Tenant>, DbError> {
    Ok(sqlx::query_as("select * from tenants where id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await?)
}

/// Every tenant, newest first.
pub async fn list(conn: &mut PgConnection, page: &Page) -> Result<Vec<Tenant>, DbError> {
    Ok(
        sqlx::query_as("select * from tenants where ($1::text is null or id < $1) order by id desc limit $2")
            .bind(&page.after)
            .bind(page.limit)
            .fetch_all(conn)
            .await?,
    )
}

/// Notes that the owner has the recovery sheet; the first time stays.
pub async fn set_recovery_sheet_downloaded(
    conn: &mut PgConnection,
    id: &TenantId,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query("update tenants set recovery_sheet_at = coalesce(recovery_sheet_at, $2) where id = $1")
        .bind(id)
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
}
