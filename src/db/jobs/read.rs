//! Looking jobs up for the tenant they belong to.

use sqlx::PgConnection;

use super::row::columns;
use crate::{
    db::{DbError, Page},
    domain::{
        ids::{JobId, SnapshotId, SourceId, TenantId},
        job::{Job, JobKind, JobState},
    },
};

/// Which jobs to list; `None` means any.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Of this source.
    pub source_id: Option<SourceId>,
    /// About this snapshot.
    pub snapshot_id: Option<SnapshotId>,
    /// Of this kind.
    pub kind: Option<JobKind>,
    /// In this state.
    pub state: Option<JobState>,
}

/// One job of a tenant.
pub async fn get(conn: &mut PgConnection, tenant_id: &TenantId, id: &JobId) -> Result<Option<Job>, DbError> {
    Ok(sqlx::query_as(concat!(
        "select ",
        columns!(),
        " from jobs j where j.tenant_id = $1 and j.id = $2"
    ))
    .bind(tenant_id)
    .bind(id)
    .fetch_optional(conn)
    .await?)
}

/// Jobs of a tenant, newest first.
pub async fn list(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    filter: &JobFilter,
    page: &Page,
) -> Result<Vec<Job>, DbError> {
    Ok(sqlx::query_as(concat!(
        "select ",
        columns!(),
        " from jobs j where j.tenant_id = $1 \
         and ($2::text is null or j.source_id = $2) and ($3::text is null or j.snapshot_id = $3) \
         and ($4::text is null or j.kind = $4) and ($5::text is null or j.state = $5) \
         and ($6::text is null or j.id < $6) order by j.id desc limit $7"
    ))
    .bind(tenant_id)
    .bind(&filter.source_id)
    .bind(&filter.snapshot_id)
    .bind(filter.kind)
    .bind(filter.state)
    .bind(&page.after)
    .bind(page.limit)
    .fetch_all(conn)
    .await?)
}
