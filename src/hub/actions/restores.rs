//! Restores: exports of a snapshot, made by the worker that has it.

use serde::Deserialize;

use super::{
    ActionError, Actor, audit,
    jobs::{NO_JOB, order},
    snapshots::find_kept,
};
use crate::{
    db::jobs,
    domain::{
        entry::EntryPath,
        escaped,
        field_error::FieldError,
        ids::{ExportId, JobId, SnapshotId},
        job::{ExportFormat, JobKind},
        user::Role,
    },
    hub::{Hub, views::JobView},
    queue::orders,
};

/// Most chosen paths; a directory stands for everything below it.
const MAX_PATHS: usize = 1000;

/// What to restore, and as what.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRestore {
    /// The form of the download.
    pub format: ExportFormat,
    /// Chosen paths as the file browser shows them, directories with everything below; all if absent.
    #[serde(default)]
    pub paths: Option<Vec<String>>,
}

/// Orders a restore of a snapshot.
pub async fn order_of_snapshot(
    hub: &Hub,
    actor: &Actor,
    id: &SnapshotId,
    restore: NewRestore,
) -> Result<JobView, ActionError> {
    actor.require(Role::Operator)?;
    let mut tx = hub.begin().await?;
    let snapshot = find_kept(&mut tx, actor, id).await?;
    let paths = checked_paths(restore.paths)?;
    if restore.format == ExportFormat::File && paths.len() != 1 {
        return Err(ActionError::invalid(
            "/paths",
            "must name exactly one file for the format file",
        ));
    }
    let new = orders::restore(&snapshot, ExportId::generate(), restore.format, paths);
    audit::record(&mut tx, actor, "snapshot.restore", Some(id.as_str())).await?;
    let job = order(&mut tx, hub, actor, new).await?;
    hub.commit(tx).await?;
    Ok(job)
}

/// Orders a restore of what a backup job stored.
pub async fn order_of_job(hub: &Hub, actor: &Actor, id: &JobId, restore: NewRestore) -> Result<JobView, ActionError> {
    actor.require(Role::Operator)?;
    let job = jobs::get(&mut *hub.connection().await?, &actor.tenant_id, id).await?;
    let job = job.ok_or(NO_JOB)?;
    if job.kind != JobKind::Backup {
        return Err(ActionError::Conflict(format!(
            "a {} stores nothing; name a backup job",
            job.kind
        )));
    }
    let nothing = || ActionError::Conflict(format!("the backup is {} and has stored nothing", job.state));
    let snapshot = job.snapshot_id.clone().ok_or_else(nothing)?;
    order_of_snapshot(hub, actor, &snapshot, restore).await
}

/// Everything if absent; an empty choice is a mistake, not everything.
pub(super) fn checked_paths(paths: Option<Vec<String>>) -> Result<Vec<String>, ActionError> {
    let Some(paths) = paths else { return Ok(Vec::new()) };
    if paths.is_empty() {
        return Err(ActionError::invalid(
            "/paths",
            "is empty; leave it out to restore everything",
        ));
    }
    if paths.len() > MAX_PATHS {
        return Err(ActionError::invalid(
            "/paths",
            format!("at most {MAX_PATHS} paths; choose directories instead"),
        ));
    }
    let fault = |(i, path): (usize, &String)| {
        let detail = match escaped::unescape(path) {
            None => "is not in the escaped form that the file browser shows".to_owned(),
            Some(bytes) => EntryPath::new(&bytes).err()?.to_string(),
        };
        Some(FieldError::new(format!("/paths/{i}"), detail))
    };
    ActionError::unless_valid(paths.iter().enumerate().filter_map(fault).collect())?;
    Ok(paths)
}
