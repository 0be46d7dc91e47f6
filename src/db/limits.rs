//! How many backups and probes may run at once: the operator's choice, read by every claim; and servers that are
//! spared because they were busy.

use sqlx::{FromRow, PgConnection};

use super::DbError;
use crate::domain::ids::TenantId;

/// Limits of the whole platform; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Limits {
    /// Jobs of one tenant, unless it has a limit of its own.
    pub jobs_per_tenant: Option<i32>,
    /// Jobs at one server.
    pub jobs_per_host: Option<i32>,
}

/// The limits that hold now.
pub async fn get(conn: &mut PgConnection) -> Result<Limits, DbError> {
    Ok(sqlx::query_as("select jobs_per_tenant, jobs_per_host from limits")
        .fetch_one(conn)
        .await?)
}

/// Sets them. What runs goes on; fewer jobs begin.
pub async fn set(conn: &mut PgConnection, limits: &Limits) -> Result<(), DbError> {
    sqlx::query("update limits set jobs_per_tenant = $1, jobs_per_host = $2")
        .bind(limits.jobs_per_tenant)
        .bind(limits.jobs_per_host)
        .execute(conn)
        .await?;
    Ok(())
}

/// Gives a tenant a limit of its own, or takes it away. False if there is no such tenant.
pub async fn set_for_tenant(conn: &mut PgConnection, tenant_id: &TenantId, jobs: Option<i32>) -> Result<bool, DbError> {
    let known: bool = sqlx::query_scalar("select exists (select from tenants where id = $1)")
        .bind(tenant_id)
        .fetch_one(&mut *conn)
        .await?;
    if !known {
        return Ok(false);
    }
    let statement = match jobs {
        Some(_) => {
            "insert into tenant_limits (tenant_id, jobs) values ($1, $2) \
             on conflict (tenant_id) do update set jobs = excluded.jobs"
        }
        None => "delete from tenant_limits where tenant_id = $1 and $2::integer is null",
    };
    sqlx::query(statement).bind(tenant_id).bind(jobs).execute(conn).await?;
    Ok(true)
}

/// Tenants with a limit of their own, at most 1,000.
pub async fn of_tenants(conn: &mut PgConnection) -> Result<Vec<(TenantId, i32)>, DbError> {
    Ok(
        sqlx::query_as("select tenant_id, jobs from tenant_limits order by tenant_id limit 1000")
            .fetch_all(conn)
            .await?,
    )
}

/// Forgets servers that were busy long ago: nobody spares them any more.
pub async fn prune_busy_hosts(conn: &mut PgConnection, limit: i64) -> Result<u64, DbError> {
    let done = sqlx::query(
        "delete from busy_hosts where host in (
             select host from busy_hosts where busy_at < now() - interval '1 day' and hold_until < now() limit $1)",
    )
    .bind(limit)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
