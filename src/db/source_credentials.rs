//! Sealed credentials of sources, one row per field.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection};

use super::DbError;
use crate::domain::ids::{SourceId, TenantId};

/// What may be shown of a credential.
#[derive(Debug, Clone, FromRow)]
pub struct CredentialFacts {
    /// Of which source.
    pub source_id: SourceId,
    /// Which field.
    pub field: String,
    /// Of a private key: its public half's fingerprint, if known.
    pub fingerprint: Option<String>,
    /// When it was set.
    pub set_at: DateTime<Utc>,
}

/// Sets a field.
pub async fn set(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    source_id: &SourceId,
    field: &str,
    sealed: &[u8],
    fingerprint: Option<&str>,
) -> Result<(), DbError> {
    sqlx::query(
        "insert into source_credentials (tenant_id, source_id, field, sealed, fingerprint) values ($1, $2, $3, $4, $5) \
         on conflict (source_id, field) do update set sealed = excluded.sealed, fingerprint = excluded.fingerprint, \
             set_at = now()",
    )
    .bind(tenant_id)
    .bind(source_id)
    .bind(field)
    .bind(sealed)
    .bind(fingerprint)
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a field.
pub async fn unset(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    source_id: &SourceId,
    field: &str,
) -> Result<(), DbError> {
    sqlx::query("delete from source_credentials where tenant_id = $1 and source_id = $2 and field = $3")
        .bind(tenant_id)
        .bind(source_id)
        .bind(field)
        .execute(conn)
        .await?;
    Ok(())
}

/// What may be shown of the credentials of some sources; at most six each.
pub async fn facts(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    source_ids: &[SourceId],
) -> Result<Vec<CredentialFacts>, DbError> {
    Ok(sqlx::query_as(
        "select source_id, field, fingerprint, set_at from source_credentials \
         where tenant_id = $1 and source_id = any($2) order by source_id, field",
    )
    .bind(tenant_id)
    .bind(source_ids)
    .fetch_all(conn)
    .await?)
}

/// The sealed fields of a source.
pub async fn sealed(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    source_id: &SourceId,
) -> Result<Vec<(String, Vec<u8>)>, DbError> {
    Ok(
        sqlx::query_as("select field, sealed from source_credentials where tenant_id = $1 and source_id = $2")
            .bind(tenant_id)
            .bind(source_id)
            .fetch_all(conn)
            .await?,
    )
}
