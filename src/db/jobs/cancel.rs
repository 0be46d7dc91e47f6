//! Cancelling: at once while a job waits, by asking its worker while it runs.

use sqlx::PgConnection;

use crate::{
    db::{DbError, job_events},
    domain::{
        ids::{JobId, TenantId},
        job::JobState,
        job_event::JobEventKind,
    },
};

/// What a request to cancel came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// The tenant has no such job.
    NotFound,
    /// It was waiting and is cancelled now.
    Cancelled,
    /// It runs; its worker was asked and ends it within seconds.
    Requested,
    /// It is over, with this state; nothing was changed.
    AlreadyOver(JobState),
}

/// Cancels a job, or asks for it. Asking twice is no different from asking once.
pub async fn request_cancel(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    id: &JobId,
) -> Result<Cancellation, DbError> {
    let state: Option<(JobState, bool)> = sqlx::query_as(
        "select state, cancel_requested_at is not null from jobs where tenant_id = $1 and id = $2 for update",
    )
    .bind(tenant_id)
    .bind(id)
    .fetch_optional(&mut *conn)
    .await?;
    match state {
        None => Ok(Cancellation::NotFound),
        Some((JobState::Queued, _)) => {
            sqlx::query(
                "update jobs set state = 'cancelled', cancel_requested_at = now(), finished_at = now() where id = $1",
            )
            .bind(id)
            .execute(&mut *conn)
            .await?;
            let message = "Cancelled before a worker took it";
            job_events::record(conn, id, JobEventKind::Cancelled, message).await?;
            Ok(Cancellation::Cancelled)
        }
        Some((JobState::Running, true)) => Ok(Cancellation::Requested),
        Some((JobState::Running, false)) => {
            sqlx::query("update jobs set cancel_requested_at = now() where id = $1")
                .bind(id)
                .execute(&mut *conn)
                .await?;
            let message = "Cancelling: the worker was asked to stop";
            job_events::record(conn, id, JobEventKind::CancelRequested, message).await?;
            Ok(Cancellation::Requested)
        }
        Some((over, _)) => Ok(Cancellation::AlreadyOver(over)),
    }
}
