//! Snapshots: look, pin, check, delete.

use sqlx::PgConnection;

use super::{ActionError, Actor, List, ListQuery, audit, file_keys, jobs::order};
use crate::{
    db::{
        Page,
        jobs::{self, JobFilter},
        snapshots, sources, workers,
    },
    domain::{
        ids::{SnapshotId, SourceId},
        job::{JobState, VerifyLevel},
        snapshot::{Locator, Snapshot, SnapshotState},
        user::Role,
        worker::Worker,
    },
    hub::{
        Hub,
        views::{JobView, SnapshotView},
    },
    queue::{orders, route},
};

pub use crate::db::snapshots::{SnapshotFilter, Totals};

/// Snapshots of the tenant.
pub async fn list(
    hub: &Hub,
    actor: &Actor,
    filter: &SnapshotFilter,
    query: &ListQuery,
) -> Result<List<SnapshotView>, ActionError> {
    let page = query.page::<SnapshotId>()?;
    let mut conn = hub.connection().await?;
    let rows = snapshots::list(&mut conn, &actor.tenant_id, filter, &page).await?;
    let list = List::cut(rows, query, |snapshot: &Snapshot| snapshot.new.key.snapshot_id.as_str());
    let ids: Vec<SourceId> = list
        .items
        .iter()
        .map(|snapshot| snapshot.new.key.source_id.clone())
        .collect();
    let names = sources::names(&mut conn, &actor.tenant_id, &ids).await?;
    Ok(list.map(|snapshot| view(snapshot, &names)))
}

/// One snapshot.
pub async fn get(hub: &Hub, actor: &Actor, id: &SnapshotId) -> Result<SnapshotView, ActionError> {
    let mut conn = hub.connection().await?;
    let snapshot = find(&mut conn, actor, id).await?;
    named(&mut conn, actor, snapshot).await
}

/// How much the tenant has stored, of one source or in all.
pub async fn totals(hub: &Hub, actor: &Actor, source: Option<&SourceId>) -> Result<Totals, ActionError> {
    Ok(snapshots::totals(&mut *hub.connection().await?, &actor.tenant_id, source).await?)
}

/// Pins a snapshot, or lets it go.
pub async fn set_pinned(hub: &Hub, actor: &Actor, id: &SnapshotId, pinned: bool) -> Result<SnapshotView, ActionError> {
    actor.require(Role::Operator)?;
    let mut tx = hub.begin().await?;
    if !snapshots::set_pinned(&mut tx, &actor.tenant_id, id, pinned).await? {
        return Err(NO_SNAPSHOT);
    }
    let action = if pinned { "snapshot.pin" } else { "snapshot.unpin" };
    audit::record(&mut tx, actor, action, Some(id.as_str())).await?;
    let snapshot = find(&mut tx, actor, id).await?;
    let view = named(&mut tx, actor, snapshot).await?;
    hub.commit(tx).await?;
    Ok(view)
}

/// Orders a full check of a snapshot. At the level `restore` it must be one of databases, and xVault must have its key.
pub async fn order_verify(
    hub: &Hub,
    actor: &Actor,
    id: &SnapshotId,
    level: VerifyLevel,
) -> Result<JobView, ActionError> {
    actor.require(Role::Operator)?;
    let mut tx = hub.begin().await?;
    let snapshot = find_kept(&mut tx, actor, id).await?;
    if level == VerifyLevel::Restore {
        require_loadable(&mut tx, hub, actor, &snapshot).await?;
    }
    let job = order(&mut tx, hub, actor, orders::verify(&snapshot, level)).await?;
    hub.commit(tx).await?;
    Ok(job)
}

async fn require_loadable(
    conn: &mut PgConnection,
    hub: &Hub,
    actor: &Actor,
    snapshot: &Snapshot,
) -> Result<(), ActionError> {
    let source = sources::get(&mut *conn, &actor.tenant_id, &snapshot.new.key.source_id).await?;
    if !source.is_some_and(|source| source.config.kind().has_dumps()) {
        let detail = "the snapshot is of files; only dumps of databases can be loaded to check them";
        return Err(ActionError::Conflict(detail.into()));
    }
    let headers = [&snapshot.new.backup_header[..]];
    match file_keys::of_headers(conn, hub, &actor.tenant_id, headers).await? {
        Some(_) => Ok(()),
        None => Err(ActionError::Conflict(
            "your organisation keeps the key of this snapshot itself, so xVault cannot load what is in it".into(),
        )),
    }
}

/// Orders the removal of a snapshot. From now on it cannot be restored. A removal that failed can be
/// ordered again.
pub async fn order_delete(hub: &Hub, actor: &Actor, id: &SnapshotId) -> Result<JobView, ActionError> {
    actor.require(Role::Owner)?;
    let mut tx = hub.begin().await?;
    // Also locks the row, so two callers cannot both find nothing under way.
    if !snapshots::set_deleting(&mut tx, &actor.tenant_id, id).await? {
        return Err(NO_SNAPSHOT);
    }
    let snapshot = find(&mut tx, actor, id).await?;
    if snapshot.pinned {
        return Err(ActionError::Conflict("the snapshot is pinned; unpin it first".into()));
    }
    refuse_while_used(&mut tx, actor, id).await?;
    audit::record(&mut tx, actor, "snapshot.delete", Some(id.as_str())).await?;
    let mut new = orders::delete(&snapshot);
    if retired_holder(&mut tx, &snapshot).await?.is_some() {
        // Nobody has the files; whoever takes the job removes the row.
        new.queue = route::WORK.to_owned();
    }
    let job = order(&mut tx, hub, actor, new).await?;
    hub.commit(tx).await?;
    Ok(job)
}

async fn refuse_while_used(conn: &mut PgConnection, actor: &Actor, id: &SnapshotId) -> Result<(), ActionError> {
    for state in [JobState::Queued, JobState::Running] {
        let filter = JobFilter {
            snapshot_id: Some(id.clone()),
            state: Some(state),
            ..JobFilter::default()
        };
        let active = jobs::list(conn, &actor.tenant_id, &filter, &Page::first(1)).await?;
        if let Some(job) = active.first() {
            let detail = format!(
                "a {} of this snapshot is {}: {}; cancel it or wait for it",
                job.kind, job.state, job.id
            );
            return Err(ActionError::Conflict(detail));
        }
    }
    Ok(())
}

/// What a call gets for a snapshot of nobody, or of another tenant.
const NO_SNAPSHOT: ActionError = ActionError::NotFound("snapshot");

/// A snapshot of the actor's tenant.
pub(super) async fn find(conn: &mut PgConnection, actor: &Actor, id: &SnapshotId) -> Result<Snapshot, ActionError> {
    snapshots::get(conn, &actor.tenant_id, id).await?.ok_or(NO_SNAPSHOT)
}

/// The worker that has a snapshot, if it was retired. If not, it cannot be until the transaction ends.
async fn retired_holder(conn: &mut PgConnection, snapshot: &Snapshot) -> Result<Option<Worker>, ActionError> {
    let Locator::LocalFs { worker_id, .. } = &snapshot.new.locator;
    let worker = workers::hold(conn, worker_id).await?;
    Ok(worker.filter(|worker| worker.retired_at.is_some()))
}

/// A snapshot of the actor's tenant that is not being removed and whose worker may come back.
pub(super) async fn find_kept(
    conn: &mut PgConnection,
    actor: &Actor,
    id: &SnapshotId,
) -> Result<Snapshot, ActionError> {
    let snapshot = find(conn, actor, id).await?;
    if snapshot.new.state == SnapshotState::Deleting {
        return Err(ActionError::Conflict("the snapshot is being removed".into()));
    }
    if let Some(worker) = retired_holder(conn, &snapshot).await? {
        return Err(ActionError::Conflict(format!(
            "the snapshot lay on the disk of worker {}, which was retired; it cannot be read any more",
            worker.hostname
        )));
    }
    Ok(snapshot)
}

async fn named(conn: &mut PgConnection, actor: &Actor, snapshot: Snapshot) -> Result<SnapshotView, ActionError> {
    let id = snapshot.new.key.source_id.clone();
    let names = sources::names(conn, &actor.tenant_id, &[id]).await?;
    Ok(view(snapshot, &names))
}

fn view(snapshot: Snapshot, names: &[(SourceId, String)]) -> SnapshotView {
    let name = names.iter().find(|(id, _)| *id == snapshot.new.key.source_id);
    SnapshotView::new(snapshot, name.map(|(_, name)| name.clone()).unwrap_or_default())
}
