//! The history of jobs: one row per thing that happened.

use sqlx::PgConnection;

use super::DbError;
use crate::domain::{
    ids::{JobId, TenantId},
    job_event::{JobEvent, JobEventKind},
};

/// Most events returned at once.
pub const MAX_EVENTS: i64 = 500;

/// Notes that something happened to a job. When an attempt failed, the row of the job has the cause already.
pub async fn record(conn: &mut PgConnection, job_id: &JobId, kind: JobEventKind, message: &str) -> Result<(), DbError> {
    sqlx::query(
        "insert into job_events (job_id, attempt, kind, message, error_code)
         select id, attempt, $2, $3, case when $4 then error_code end from jobs where id = $1",
    )
    .bind(job_id)
    .bind(kind.as_str())
    .bind(message)
    .bind(kind.is_failure())
    .execute(conn)
    .await?;
    Ok(())
}

/// What happened to a job of a tenant after event `after` (0 for all), oldest first, at most
/// [`MAX_EVENTS`].
pub async fn list(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    job_id: &JobId,
    after: i64,
) -> Result<Vec<JobEvent>, DbError> {
    let rows: Vec<(i64, _, i32, String, String, _)> = sqlx::query_as(
        "select e.seq, e.at, e.attempt, e.kind, e.message, e.error_code from job_events e join jobs j on j.id = e.job_id \
         where j.tenant_id = $1 and e.job_id = $2 and e.seq > $3 order by e.seq limit $4",
    )
    .bind(tenant_id)
    .bind(job_id)
    .bind(after)
    .bind(MAX_EVENTS)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(seq, at, attempt, kind, message, error_code)| {
            let kind = kind
                .parse()
                .map_err(|error: String| sqlx::Error::Decode(error.into()))?;
            Ok(JobEvent {
                seq,
                at,
                attempt,
                kind,
                message,
                error_code,
            })
        })
        .collect()
}

/// True if something happened to a job that was told in exactly these words.
pub async fn has_message(conn: &mut PgConnection, job_id: &JobId, message: &str) -> Result<bool, DbError> {
    Ok(
        sqlx::query_scalar("select exists (select from job_events where job_id = $1 and message = $2)")
            .bind(job_id)
            .bind(message)
            .fetch_one(conn)
            .await?,
    )
}
