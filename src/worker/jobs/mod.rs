//! What each kind of job does. A job reads, moves and stores; it never reports: what it returns is
//! written by `report`, and it ends soon after its attempt's `cancel` fires.

use std::sync::Arc;

use super::{attempt::Attempt, node::Node, outcome::Outcome};
use crate::{
    artifact::Gauge,
    domain::{
        error_code::ErrorCode,
        ids::SnapshotId,
        job::{JobError, JobPayload},
        snapshot::SnapshotKey,
    },
};

mod backup;
mod delete;
mod opened;
mod probe;
mod restore;
mod restore_to_server;
mod verify;

/// Does the job of this attempt.
pub async fn run(node: Arc<Node>, attempt: Arc<Attempt>) -> Result<Outcome, JobError> {
    match &attempt.job.payload {
        JobPayload::RestoreToServer { order, .. } => restore_to_server::run(&node, &attempt, order).await,
        JobPayload::Backup { .. } => backup::run(&node, &attempt).await,
        JobPayload::Probe { .. } => probe::run(&node, &attempt).await,
        JobPayload::Verify { level, .. } => verify::run(&node, &attempt, *level).await,
        JobPayload::Delete { .. } => delete::run(&node, &attempt).await,
        JobPayload::Restore {
            export_id,
            format,
            paths,
            ..
        } => restore::run(&node, &attempt, export_id, *format, paths).await,
    }
}

/// The snapshot a job is about.
fn snapshot_key(attempt: &Attempt) -> Result<SnapshotKey, JobError> {
    let job = &attempt.job;
    let snapshot_id: SnapshotId = job.snapshot_id.clone().ok_or_else(|| {
        JobError::new(
            ErrorCode::Internal,
            "the job names no snapshot",
            "Order it again; if that fails too, report it",
        )
        .permanent()
    })?;
    Ok(SnapshotKey {
        tenant_id: job.tenant_id.clone(),
        source_id: job.source_id.clone(),
        snapshot_id,
    })
}

/// Runs blocking work of an attempt on a thread that may block, with a gauge that shows its progress
/// and stops it with the attempt.
async fn blocking<T: Send + 'static>(
    attempt: &Attempt,
    work: impl FnOnce(&Gauge) -> Result<T, JobError> + Send + 'static,
) -> Result<T, JobError> {
    let gauge = Gauge::new();
    attempt.watch(&gauge);
    let span = tracing::Span::current();
    joined(tokio::task::spawn_blocking(move || span.in_scope(|| work(&gauge))).await)
}

/// The result of a task; a panic in it is a fault of ours.
fn joined<T>(ended: Result<Result<T, JobError>, tokio::task::JoinError>) -> Result<T, JobError> {
    ended.unwrap_or_else(|fault| {
        tracing::error!(%fault, "a thread of a job failed");
        Err(JobError::new(
            ErrorCode::Internal,
            "a fault in xVault ended the job",
            "See the worker's log and report it",
        ))
    })
}

/// What the hub's brief lacks although this kind of job needs it.
fn brief_lacks(what: &str) -> JobError {
    JobError::new(
        ErrorCode::Internal,
        format!("the hub's brief for this job lacks {what}"),
        "Check that hub and worker run the same version",
    )
}

/// What a tenant with keys of its own is told.
fn key_unavailable(what: &str) -> JobError {
    JobError::new(
        ErrorCode::KeyUnavailable,
        format!("{what} needs the key of the snapshot, and your organisation keeps that key itself"),
        "Copy the snapshot's directory and open it with `xvault artifact extract` and your own key",
    )
}
