//! Due jobs that nobody may take just now, and why.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    db::DbError,
    domain::{
        ids::{JobId, TenantId},
        job::HeldBy,
    },
};

/// What holds a due job back.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct HeldBack {
    /// The job.
    pub job_id: JobId,
    /// The reason.
    pub by: HeldBy,
    /// The server it is for: `host:port`.
    pub host: Option<String>,
    /// When the reason ends, if that is known.
    pub until: Option<DateTime<Utc>>,
    /// Free disk that a worker needs for it.
    pub needs_free_bytes: Option<i64>,
}

/// Those of `ids` (jobs of the tenant) that are due and held back.
pub async fn held_back(conn: &mut PgConnection, tenant_id: &TenantId, ids: &[JobId]) -> Result<Vec<HeldBack>, DbError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_as(
        "select id as job_id, why as by, host, held_until as until, needs_free_bytes from due_jobs d cross join lateral (
             select coalesce(d.held_by, case when not exists (
                 select from workers w where w.stopped_at is null and w.last_seen_at > now() - interval '30 seconds'
                     and w.paused_reason is null and w.drain_requested_at is null and w.retired_at is null
                     and w.storage_free_bytes >= d.needs_free_bytes)
                 and d.needs_free_bytes is not null then 'storage_full' end) as why) held
         where tenant_id = $1 and id = any($2) and why is not null",
    )
    .bind(tenant_id)
    .bind(ids)
    .fetch_all(conn)
    .await?)
}
