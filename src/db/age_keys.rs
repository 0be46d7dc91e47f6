//! age identities of tenants, sealed; only the recipient (public) half is in clear.

use sqlx::{FromRow, PgConnection};

use super::DbError;
use crate::domain::ids::{KeyId, TenantId};

/// An age key of a tenant.
#[derive(Debug, Clone, FromRow)]
pub struct AgeKey {
    /// Its id; the sealed identity is bound to it.
    pub id: KeyId,
    /// The public half, `age1…`.
    pub recipient: String,
    /// The private half, sealed by the tenant's data key; `None` if the tenant keeps it itself.
    pub sealed_identity: Option<Vec<u8>>,
}

/// Adds an active key.
pub async fn insert(conn: &mut PgConnection, tenant_id: &TenantId, key: &AgeKey) -> Result<(), DbError> {
    sqlx::query("insert into age_keys (id, tenant_id, recipient, sealed_identity) values ($1, $2, $3, $4)")
        .bind(&key.id)
        .bind(tenant_id)
        .bind(&key.recipient)
        .bind(&key.sealed_identity)
        .execute(conn)
        .await?;
    Ok(())
}

/// What new backups are encrypted to.
pub async fn active_recipients(conn: &mut PgConnection, tenant_id: &TenantId) -> Result<Vec<String>, DbError> {
    Ok(
        sqlx::query_scalar("select recipient from age_keys where tenant_id = $1 and active order by id limit 20")
            .bind(tenant_id)
            .fetch_all(conn)
            .await?,
    )
}

/// Every key of a tenant, newest first: old snapshots need old keys.
pub async fn all(conn: &mut PgConnection, tenant_id: &TenantId) -> Result<Vec<AgeKey>, DbError> {
    Ok(sqlx::query_as(
        "select id, recipient, sealed_identity from age_keys where tenant_id = $1 order by id desc limit 1000",
    )
    .bind(tenant_id)
    .fetch_all(conn)
    .await?)
}
