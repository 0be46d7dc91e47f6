//! Jobs: order, look, follow, cancel.

use super::{ActionError, Actor, List, ListQuery, audit, job_views, sources::lock_present};
use crate::{
    db::{
        Transaction, job_events,
        jobs::{self, Cancellation, NewJob},
    },
    domain::{
        ids::{JobId, SourceId},
        job::JobState,
        user::Role,
    },
    hub::{
        Hub,
        views::{JobEventView, JobView},
    },
    queue::{self, EnqueueError, orders},
};

pub use crate::db::jobs::JobFilter;

/// What a call gets for a job of nobody, or of another tenant.
pub(super) const NO_JOB: ActionError = ActionError::NotFound("job");

/// Jobs of the tenant.
pub async fn list(
    hub: &Hub,
    actor: &Actor,
    filter: &JobFilter,
    query: &ListQuery,
) -> Result<List<JobView>, ActionError> {
    let page = query.page::<JobId>()?;
    let mut conn = hub.connection().await?;
    let rows = jobs::list(&mut conn, &actor.tenant_id, filter, &page).await?;
    let List { items, next_cursor } = List::cut(rows, query, |job| job.id.as_str());
    let items = job_views::many(&mut conn, hub, actor, items).await?;
    Ok(List { items, next_cursor })
}

/// One job.
pub async fn get(hub: &Hub, actor: &Actor, id: &JobId) -> Result<JobView, ActionError> {
    let mut conn = hub.connection().await?;
    let job = jobs::get(&mut conn, &actor.tenant_id, id).await?.ok_or(NO_JOB)?;
    job_views::one(&mut conn, hub, actor, job).await
}

/// What happened to a job after event `after` (0 for all), oldest first.
pub async fn events(hub: &Hub, actor: &Actor, id: &JobId, after: i64) -> Result<Vec<JobEventView>, ActionError> {
    let mut conn = hub.connection().await?;
    jobs::get(&mut conn, &actor.tenant_id, id).await?.ok_or(NO_JOB)?;
    let events = job_events::list(&mut conn, &actor.tenant_id, id, after).await?;
    let view = |event: crate::domain::job_event::JobEvent| JobEventView {
        seq: event.seq,
        at: event.at,
        attempt: event.attempt,
        kind: event.kind,
        message: event.message,
        error_code: event.error_code,
    };
    Ok(events.into_iter().map(view).collect())
}

/// Orders a backup of a source.
pub async fn order_backup(hub: &Hub, actor: &Actor, source: &SourceId) -> Result<JobView, ActionError> {
    order_on_source(
        hub,
        actor,
        source,
        orders::backup(actor.tenant_id.clone(), source.clone()),
    )
    .await
}

/// Orders a look at a source.
pub async fn order_probe(hub: &Hub, actor: &Actor, source: &SourceId) -> Result<JobView, ActionError> {
    order_on_source(
        hub,
        actor,
        source,
        orders::probe(actor.tenant_id.clone(), source.clone()),
    )
    .await
}

async fn order_on_source(hub: &Hub, actor: &Actor, source: &SourceId, new: NewJob) -> Result<JobView, ActionError> {
    actor.require(Role::Operator)?;
    let mut tx = hub.begin().await?;
    lock_present(&mut tx, actor, source).await?;
    let job = order(&mut tx, hub, actor, new).await?;
    hub.commit(tx).await?;
    Ok(job)
}

/// Puts a job of the actor into the queue, in the caller's transaction.
pub(super) async fn order(tx: &mut Transaction, hub: &Hub, actor: &Actor, new: NewJob) -> Result<JobView, ActionError> {
    let new = NewJob {
        created_by: Some(actor.user_id.clone()),
        ..new
    };
    let job = queue::enqueue(tx, &new).await.map_err(|error| match error {
        EnqueueError::ActiveBackup(active) => ActionError::ActiveBackup(active),
        EnqueueError::Db(error) => error.into(),
    })?;
    tx.changed_job(&job.id);
    tx.added_work(&new.queue);
    job_views::one(tx, hub, actor, job).await
}

/// Cancels a job, at once if it waits, within seconds if it runs.
pub async fn cancel(hub: &Hub, actor: &Actor, id: &JobId) -> Result<JobView, ActionError> {
    actor.require(Role::Operator)?;
    let mut tx = hub.begin().await?;
    match jobs::request_cancel(&mut tx, &actor.tenant_id, id).await? {
        Cancellation::NotFound => return Err(NO_JOB),
        Cancellation::AlreadyOver(state) if state != JobState::Cancelled => {
            return Err(ActionError::Conflict(format!("the job is over already: {state}")));
        }
        Cancellation::Cancelled | Cancellation::Requested | Cancellation::AlreadyOver(_) => {}
    }
    tx.changed_job(id);
    audit::record(&mut tx, actor, "job.cancel", Some(id.as_str())).await?;
    let job = jobs::get(&mut tx, &actor.tenant_id, id).await?.ok_or(NO_JOB)?;
    let view = job_views::one(&mut tx, hub, actor, job).await?;
    hub.commit(tx).await?;
    Ok(view)
}
