//! Retiring a worker: it never comes back, and the catalogue says so about everything it had.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    ActionError, Actor,
    workers::{NO_WORKER, deed},
};
use crate::{
    db::{Transaction, audit_log, jobs, retirement, workers},
    domain::{
        error_code::ErrorCode,
        ids::WorkerId,
        job::JobError,
        worker::{Worker, WorkerState},
    },
    hub::{
        Hub,
        views::{RetiredView, WorkerView},
    },
    queue::{self, route},
};

/// Retires a worker for ever. `confirm` must repeat its id.
pub async fn retire(hub: &Hub, actor: &Actor, id: &WorkerId, confirm: &str) -> Result<RetiredView, ActionError> {
    actor.require_platform_admin()?;
    let mut tx = hub.begin().await?;
    let retired = retire_as(&mut tx, hub.clock.now(), id, confirm, actor.name()).await?;
    hub.commit(tx).await?;
    Ok(retired)
}

/// The same in the caller's transaction, for `by`.
pub async fn retire_as(
    tx: &mut Transaction,
    now: DateTime<Utc>,
    id: &WorkerId,
    confirm: &str,
    by: &str,
) -> Result<RetiredView, ActionError> {
    let worker = workers::lock(tx, id).await?.ok_or(NO_WORKER)?;
    if confirm.trim() != id.as_str() {
        let detail = format!("must repeat the id of the worker, {id}: what only it has is lost to xVault");
        return Err(ActionError::invalid("/confirm", detail));
    }
    refuse_while_needed(tx, &worker, now).await?;
    workers::set_retired(tx, id).await?;
    let why = format!("it lay on the disk of worker {}, which was retired", worker.hostname);
    let snapshots_missing = retirement::mark_snapshots_missing(tx, id, &why).await?;
    retirement::end_exports(tx, id).await?;
    let own = route::of_worker(id);
    let deletions_moved = retirement::move_deletions(tx, &own, route::WORK).await?;
    // Whoever takes one finds nothing on its own disk and removes the row.
    let tickets = usize::try_from(deletions_moved).unwrap_or(usize::MAX);
    queue::push_at(tx, route::WORK, now, tickets).await?;
    tx.added_work(route::WORK);
    let failed = retirement::fail_waiting(tx, &own, &error(&worker)).await?;
    failed.iter().for_each(|job| tx.changed_job(job));
    let jobs_failed = failed.len() as u64;
    audit_log::record(tx, &deed(by, "worker.retire", id.as_str())).await?;
    tracing::warn!(worker = %id, by, snapshots_missing, jobs_failed, "a worker was retired");
    let worker = workers::get(tx, id).await?.ok_or(NO_WORKER)?;
    Ok(RetiredView {
        worker: WorkerView::new(worker, now),
        snapshots_missing,
        jobs_failed,
        deletions_moved,
    })
}

async fn refuse_while_needed(conn: &mut PgConnection, worker: &Worker, now: DateTime<Utc>) -> Result<(), ActionError> {
    let id = &worker.id;
    let refuse = |why: String| Err(ActionError::Conflict(why));
    match worker.state(now) {
        WorkerState::Retired => return refuse(format!("the worker {id} is retired already")),
        WorkerState::Stopped | WorkerState::Away => {}
        _ => {
            return refuse(format!(
                "the worker {id} runs; stop it first (drain it before, if it has work)"
            ));
        }
    }
    match jobs::running_on(conn, id).await?.len() {
        0 => Ok(()),
        held => refuse(format!(
            "the worker {id} still holds {held} jobs; they go to others within a minute, try again then"
        )),
    }
}

fn error(worker: &Worker) -> JobError {
    JobError::new(
        ErrorCode::WorkerRetired,
        format!(
            "the data lay on the disk of worker {}, which was retired before it could do this",
            worker.hostname
        ),
        "Use a snapshot that lies elsewhere; a new backup of the source makes one",
    )
}
