//! The last word about an attempt: delivered to the database however long that is away, or taken back.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use tokio::time::Instant;

use super::{
    attempt::{Attempt, StopReason},
    meters::AttemptEnd,
    node::Node,
    outcome::Outcome,
};
use crate::{
    db::{
        self, DbError, Transaction,
        jobs::{self, AfterFailure, Retry},
        snapshots,
    },
    domain::{
        error_code::ErrorCode,
        job::{Job, JobError, JobKind, Progress},
        snapshot::SnapshotState,
    },
    queue,
};

/// Growth of the free space below which a backup that did not fit is not tried again: disks also breathe by themselves.
const ROOM_FOR_NOISE: u64 = 1 << 20;

/// What an entry takes in archive and index beside its content, in bytes, generously.
const MOST_PER_ENTRY: u64 = 4096;

/// Reports how the work of `attempt` ended; says how the attempt did.
pub async fn report(node: &Arc<Node>, attempt: &Attempt, ended: Result<Outcome, JobError>) -> AttemptEnd {
    match (ended, attempt.stop_reason()) {
        (Ok(outcome), Some(StopReason::LeaseLost)) => {
            outcome.effect.undo(node).await;
            AttemptEnd::Lost
        }
        (Ok(outcome), _) => success(node, attempt, outcome).await,
        (Err(_), Some(StopReason::LeaseLost)) => AttemptEnd::Lost,
        (Err(_), Some(StopReason::HandBack)) => hand_back(node, attempt).await,
        (Err(_), Some(StopReason::Cancelled)) => failure(node, attempt, &super::attempt::cancelled()).await,
        (Err(error), None) => failure(node, attempt, &error).await,
    }
}

async fn success(node: &Arc<Node>, attempt: &Attempt, outcome: Outcome) -> AttemptEnd {
    let accepted = patiently(node, || write_success(node, attempt, &outcome).boxed()).await;
    match accepted {
        Some(true) => {
            tracing::info!("{}", outcome.end.message);
            match outcome.end.partial {
                true => AttemptEnd::Partial,
                false => AttemptEnd::Succeeded,
            }
        }
        Some(false) => {
            tracing::warn!("the report was refused: the lease is lost; removing what was stored");
            outcome.effect.undo(node).await;
            AttemptEnd::Lost
        }
        // Unknown whether it was written: the sweep compares disk and catalogue later.
        None => AttemptEnd::Lost,
    }
}

/// False if the report is refused.
async fn write_success(node: &Node, attempt: &Attempt, outcome: &Outcome) -> Result<bool, DbError> {
    let mut tx = Transaction::begin(&node.pool).await?;
    if jobs::finish(&mut tx, &attempt.lease, &outcome.end).await? {
        outcome.effect.write(&mut tx, node.timing.export_lifetime).await?;
        tx.changed_job(&attempt.job.id);
        tx.commit(&node.notifier).await?;
        return Ok(true);
    }
    // The answer to an earlier try may have been lost on its way.
    outcome.effect.is_written(&mut tx).await
}

async fn failure(node: &Arc<Node>, attempt: &Attempt, error: &JobError) -> AttemptEnd {
    let after = patiently(node, || write_failure(node, attempt, error).boxed()).await;
    tracing::info!(code = %error.code, error = error.message, ?after, "the attempt failed");
    match after {
        Some(AfterFailure::Failed) => AttemptEnd::Failed,
        Some(AfterFailure::Retry { .. }) => AttemptEnd::Retry,
        Some(AfterFailure::Cancelled) => AttemptEnd::Cancelled,
        Some(AfterFailure::Refused) | None => AttemptEnd::Lost,
    }
}

async fn write_failure(node: &Node, attempt: &Attempt, error: &JobError) -> Result<AfterFailure, DbError> {
    let mut tx = Transaction::begin(&node.pool).await?;
    let retry = retry(node, attempt, error.code);
    let after = queue::fail(&mut tx, &attempt.lease, error, &retry).await?;
    if after == AfterFailure::Failed {
        note_fault(&mut tx, &attempt.job, error).await?;
    }
    tx.changed_job(&attempt.job.id);
    tx.commit(&node.notifier).await?;
    Ok(after)
}

/// When and where the job should be tried again.
fn retry(node: &Node, attempt: &Attempt, code: ErrorCode) -> Retry {
    let job = &attempt.job;
    match (code, job.kind) {
        (ErrorCode::SourceBusy, _) => Retry::after(node.timing.retry_busy_after(job.deferrals)),
        (ErrorCode::StorageFull, JobKind::Backup) => Retry {
            after: node.timing.retry_elsewhere_after(),
            needs_free_bytes: node
                .disk()
                .free_bytes()
                .map(|free| room_needed(free, &attempt.progress())),
        },
        _ => Retry::after(node.timing.retry_after(job.attempt)),
    }
}

/// Free bytes without which a backup that ran out of space is not tried again. What it wrote is gone again, so what is
/// `free` now was not enough; unless somebody else made room meanwhile, therefore no more than it had to write so far.
fn room_needed(free: u64, written: &Progress) -> u64 {
    let written = written
        .bytes
        .saturating_add(written.files.saturating_mul(MOST_PER_ENTRY));
    let short = free.min(written);
    short + (short / 20).max(ROOM_FOR_NOISE)
}

async fn hand_back(node: &Arc<Node>, attempt: &Attempt) -> AttemptEnd {
    let after = patiently(node, || write_hand_back(node, attempt).boxed()).await;
    tracing::info!(?after, "handed back");
    match after {
        Some(AfterFailure::Retry { .. }) => AttemptEnd::HandedBack,
        Some(AfterFailure::Cancelled) => AttemptEnd::Cancelled,
        Some(AfterFailure::Refused | AfterFailure::Failed) | None => AttemptEnd::Lost,
    }
}

async fn write_hand_back(node: &Node, attempt: &Attempt) -> Result<AfterFailure, DbError> {
    let mut tx = Transaction::begin(&node.pool).await?;
    let why = format!("Worker {} is stopping and gave the job back", node.id);
    let after = queue::hand_back(&mut tx, &attempt.lease, &why).await?;
    tx.changed_job(&attempt.job.id);
    if let AfterFailure::Retry { queue, .. } = &after {
        tx.added_work(queue);
    }
    tx.commit(&node.notifier).await?;
    Ok(after)
}

/// Notes what a failure says about the snapshot the job was about.
async fn note_fault(conn: &mut sqlx::PgConnection, job: &Job, error: &JobError) -> Result<(), DbError> {
    if error.code == ErrorCode::RestoreMismatch
        && let Some(id) = &job.snapshot_id
    {
        let noted = snapshots::mark_disproved(conn, &job.tenant_id, id, &error.message).await;
        return noted.map(drop);
    }
    let (state, unreadable) = match error.code {
        ErrorCode::SnapshotDamaged => (SnapshotState::Damaged, false),
        ErrorCode::SnapshotUnreadable => (SnapshotState::Damaged, true),
        ErrorCode::SnapshotMissing => (SnapshotState::Missing, false),
        _ => return Ok(()),
    };
    let Some(id) = &job.snapshot_id else {
        return Ok(());
    };
    snapshots::mark_faulty(conn, &job.tenant_id, id, state, unreadable, &error.message)
        .await
        .map(drop)
}

/// Tries until the database takes it; `None` if that took longer than anybody should wait, or if it
/// can never succeed. While the process stops, the patience is that of the grace period.
async fn patiently<'a, T>(node: &Node, write: impl Fn() -> BoxFuture<'a, Result<T, DbError>>) -> Option<T> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        let error = match db::answered(write()).await {
            Ok(done) => return Some(done),
            Err(error) => error,
        };
        let patience = match node.stopping.is_cancelled() {
            true => node.config.shutdown_grace,
            false => node.timing.report_patience,
        };
        if !error.is_away() || started.elapsed() > patience {
            tracing::error!(%error, "giving up on the report; the lease will run out");
            return None;
        }
        tracing::warn!(%error, "the report did not get through; trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_that_did_not_fit_asks_for_a_little_more_than_it_had() {
        let written = |bytes, files| Progress {
            bytes,
            files,
            total_bytes: None,
        };
        let gib = 1 << 30;
        // Compressed, ten times that was on the disk when it was full.
        assert_eq!(room_needed(10 * gib, &written(100 * gib, 5)), 10 * gib + gib / 2);
        // Somebody made room between the failure and this look: nobody may have that much ever again.
        assert_eq!(room_needed(500 * gib, &written(20 * gib, 0)), 21 * gib);
        assert_eq!(room_needed(500 * gib, &written(0, 1000)), 4_096_000 + ROOM_FOR_NOISE);
    }
}
