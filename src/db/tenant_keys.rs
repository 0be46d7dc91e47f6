//! Data keys of tenants, wrapped by the master key.

use sqlx::PgConnection;

use super::DbError;
use crate::domain::ids::TenantId;

/// Stores a tenant's wrapped data key.
pub async fn insert(conn: &mut PgConnection, tenant_id: &TenantId, wrapped: &[u8]) -> Result<(), DbError> {
    sqlx::query("insert into tenant_keys (tenant_id, wrapped) values ($1, $2)")
        .bind(tenant_id)
        .bind(wrapped)
        .execute(conn)
        .await?;
    Ok(())
}

/// A tenant's wrapped data key.
pub async fn get(conn: &mut PgConnection, tenant_id: &TenantId) -> Result<Option<Vec<u8>>, DbError> {
    Ok(
        sqlx::query_scalar("select wrapped from tenant_keys where tenant_id = $1")
            .bind(tenant_id)
            .fetch_optional(conn)
            .await?,
    )
}

/// Every wrapped data key, locked until the transaction ends. One row of some 70 bytes per tenant.
pub async fn lock_all(conn: &mut PgConnection) -> Result<Vec<(TenantId, Vec<u8>)>, DbError> {
    Ok(
        sqlx::query_as("select tenant_id, wrapped from tenant_keys order by tenant_id for update")
            .fetch_all(conn)
            .await?,
    )
}

/// Replaces a tenant's wrapped data key by the same key in another wrapping.
pub async fn rewrap(conn: &mut PgConnection, tenant_id: &TenantId, wrapped: &[u8]) -> Result<(), DbError> {
    sqlx::query("update tenant_keys set wrapped = $2 where tenant_id = $1")
        .bind(tenant_id)
        .bind(wrapped)
        .execute(conn)
        .await?;
    Ok(())
}
