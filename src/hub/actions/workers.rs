//! Workers, for the platform's administrator, and the tokens they show.

use secrecy::SecretString;
use sqlx::PgConnection;

use super::{ActionError, Actor, List, ListQuery};
use crate::{
    crypto::tokens,
    db::{
        audit_log::{self, Deed},
        holdings, worker_tokens, workers,
    },
    domain::{ids::WorkerId, worker::Worker},
    hub::{
        Hub,
        views::{HeldView, RunningJobView, WaitingJobsView, WorkerDetailView, WorkerView},
    },
    queue::route,
};

/// What a call gets for a worker of nobody.
pub(super) const NO_WORKER: ActionError = ActionError::NotFound("worker");

/// Every worker ever seen.
pub async fn list(hub: &Hub, actor: &Actor, query: &ListQuery) -> Result<List<WorkerView>, ActionError> {
    actor.require_platform_admin()?;
    let page = query.page::<WorkerId>()?;
    let rows = workers::list(&mut *hub.connection().await?, &page).await?;
    let now = hub.clock.now();
    Ok(List::cut(rows, query, |worker| worker.id.as_str()).map(|worker| WorkerView::new(worker, now)))
}

/// One worker with what it runs, what waits for it and what only it has.
pub async fn get(hub: &Hub, actor: &Actor, id: &WorkerId) -> Result<WorkerDetailView, ActionError> {
    actor.require_platform_admin()?;
    detail(&mut *hub.connection().await?, hub.clock.now(), id).await
}

/// The same for the operator at the command line.
pub async fn detail(
    conn: &mut PgConnection,
    now: chrono::DateTime<chrono::Utc>,
    id: &WorkerId,
) -> Result<WorkerDetailView, ActionError> {
    let worker = workers::get(conn, id).await?.ok_or(NO_WORKER)?;
    let running = holdings::running(conn, id)
        .await?
        .into_iter()
        .map(|job| RunningJobView {
            id: job.job_id,
            tenant_id: job.tenant_id,
            tenant_name: job.tenant_name,
            kind: job.kind,
            attempt: job.attempt,
            phase: job.phase,
            progress: job.progress,
            started_at: job.started_at,
        });
    let waiting = holdings::waiting(conn, &route::of_worker(id)).await?;
    let waiting = waiting.into_iter().map(|jobs| WaitingJobsView {
        tenant_id: jobs.tenant_id,
        tenant_name: jobs.tenant_name,
        kind: jobs.kind,
        jobs: jobs.jobs.unsigned_abs(),
        oldest: jobs.oldest,
    });
    let holds = holdings::held(conn, id).await?.into_iter().map(|held| HeldView {
        tenant_id: held.tenant_id,
        tenant_name: held.tenant_name,
        snapshots: held.snapshots.unsigned_abs(),
        bytes_stored: held.bytes_stored.unsigned_abs(),
    });
    Ok(WorkerDetailView {
        url: worker.url.clone(),
        running_jobs: running.collect(),
        waiting: waiting.collect(),
        holds: holds.collect(),
        worker: WorkerView::new(worker, now),
    })
}

/// Lets a worker take no new backups and probes (`drained`), or take them again. What it runs goes on,
/// and what lies on its disk stays reachable. The worker heeds it with its next heartbeat.
pub async fn set_drained(hub: &Hub, actor: &Actor, id: &WorkerId, drained: bool) -> Result<WorkerView, ActionError> {
    actor.require_platform_admin()?;
    let mut tx = hub.begin().await?;
    let worker = drain(&mut tx, id, drained, actor.name()).await?;
    hub.commit(tx).await?;
    Ok(WorkerView::new(worker, hub.clock.now()))
}

/// The same in the caller's transaction, for `by`.
pub async fn drain(conn: &mut PgConnection, id: &WorkerId, drained: bool, by: &str) -> Result<Worker, ActionError> {
    let worker = workers::lock(conn, id).await?.ok_or(NO_WORKER)?;
    if worker.retired_at.is_some() {
        return Err(ActionError::Conflict(format!("the worker {id} is retired")));
    }
    workers::set_drained(conn, id, drained).await?;
    let action = if drained { "worker.drain" } else { "worker.undrain" };
    audit_log::record(conn, &deed(by, action, id.as_str())).await?;
    workers::get(conn, id).await?.ok_or(NO_WORKER)
}

/// Makes a token for workers, for the operator at the command line; shown once.
pub async fn create_token(conn: &mut PgConnection, label: &str) -> Result<SecretString, ActionError> {
    let token = tokens::generate("xvw_");
    worker_tokens::insert(conn, label, &tokens::hash(&token)).await?;
    audit_log::record(conn, &by_operator("worker_token.create", label)).await?;
    Ok(token)
}

/// Ends every token with this label; says how many there were.
pub async fn revoke_tokens(conn: &mut PgConnection, label: &str) -> Result<u64, ActionError> {
    let ended = worker_tokens::revoke(conn, label).await?;
    audit_log::record(conn, &by_operator("worker_token.revoke", label)).await?;
    Ok(ended)
}

fn by_operator<'a>(action: &'a str, target: &'a str) -> Deed<'a> {
    deed("operator", action, target)
}

/// A deed about the platform as a whole.
pub(super) fn deed<'a>(actor: &'a str, action: &'a str, target: &'a str) -> Deed<'a> {
    Deed {
        tenant_id: None,
        actor,
        action,
        target: Some(target),
    }
}
