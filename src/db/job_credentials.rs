//! Sealed credentials that are for one job only, one row per field. The database removes them when the job ends.

use sqlx::PgConnection;

use super::DbError;
use crate::domain::ids::{JobId, TenantId};

/// Sets a field.
pub async fn insert(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    job_id: &JobId,
    field: &str,
    sealed: &[u8],
) -> Result<(), DbError> {
    sqlx::query("insert into job_credentials (tenant_id, job_id, field, sealed) values ($1, $2, $3, $4)")
        .bind(tenant_id)
        .bind(job_id)
        .bind(field)
        .bind(sealed)
        .execute(conn)
        .await?;
    Ok(())
}

/// The sealed fields of a job; at most one per kind of credential.
pub async fn sealed(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    job_id: &JobId,
) -> Result<Vec<(String, Vec<u8>)>, DbError> {
    Ok(
        sqlx::query_as("select field, sealed from job_credentials where tenant_id = $1 and job_id = $2")
            .bind(tenant_id)
            .bind(job_id)
            .fetch_all(conn)
            .await?,
    )
}
