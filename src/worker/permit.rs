//! A permit from the queue: claims the next due job, and sees its attempt through to the report.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::Instrument;

use super::{
    attempt::{Attempt, StopReason},
    keeper,
    meters::AttemptEnd,
    node::Node,
    report::report,
};
use crate::{
    db::{
        self, DbError, Kept,
        jobs::{Claimed, Offer},
    },
    domain::{error_code::ErrorCode, job::JobError},
    queue::{self, route},
};

/// How long a permit that this worker cannot use is held before it goes back, in milliseconds. All
/// workers then race for it; the spread keeps one of them from winning for ever.
const PASS_ON_AFTER: std::ops::Range<u64> = 500..1500;

/// How often a claim is tried while the database is away, before the permit is left to the sweeper.
const CLAIM_TRIES: u32 = 5;

/// Uses one permit of `queue_name`: claims a job and does it, and goes on claiming while there is work. Every
/// further job takes a waiting ticket along, so a long queue costs one visit to it and not one per job.
pub async fn use_permit(node: Arc<Node>, queue_name: String) {
    let mut has_permit = true;
    loop {
        if queue_name == route::WORK && node.is_drained() {
            return sit_out(&node, &queue_name, has_permit).await;
        }
        match claim_patiently(&node, &queue_name, has_permit).await {
            Ok(Some(claimed)) => run(node.clone(), claimed).await,
            Ok(None) => return,
            Err(error) => return tracing::warn!(queue = queue_name, %error, "could not claim a job"),
        }
        has_permit = false;
    }
}

/// Of a drained worker: passes the permit on, and keeps the place it came through taken, so that this
/// process soon gets no more of them and the others have them to themselves.
async fn sit_out(node: &Node, queue_name: &str, has_permit: bool) {
    if has_permit && let Err(error) = db::answered(pass_on(node, queue_name)).await {
        tracing::warn!(queue = queue_name, %error, "could not pass a permit on; the sweeper will replace it");
    }
    node.while_drained().await;
}

/// Gives the permit back to the queue.
async fn pass_on(node: &Node, queue_name: &str) -> Result<(), DbError> {
    queue::push_now(&mut *node.pool.acquire().await?, queue_name).await?;
    node.notifier.work(queue_name);
    Ok(())
}

async fn claim_patiently(node: &Node, queue_name: &str, has_permit: bool) -> Result<Option<Claimed>, DbError> {
    let mut tries = 0;
    loop {
        match claim(node, queue_name, has_permit).await {
            Err(error) if error.is_away() && tries < CLAIM_TRIES => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(200) * tries).await;
            }
            other => return other,
        }
    }
}

/// Claims, or passes the permit on: while this process stops, and when what is due needs more room on the
/// disk than is left here.
async fn claim(node: &Node, queue_name: &str, has_permit: bool) -> Result<Option<Claimed>, DbError> {
    let (claimed, of_use_elsewhere) = match node.stopping.is_cancelled() {
        true => (None, has_permit),
        false => {
            let mut claims = node.claims.lock().await;
            db::answered(claim_on(node, &mut claims, queue_name, has_permit)).await?
        }
    };
    if let Some(claimed) = &claimed {
        node.notifier.job(&claimed.job.id);
    }
    if of_use_elsewhere {
        if !node.stopping.is_cancelled() {
            tokio::time::sleep(Duration::from_millis(rand::random_range(PASS_ON_AFTER))).await;
        }
        db::answered(pass_on(node, queue_name)).await?;
    }
    Ok(claimed)
}

/// The job that was claimed; or none, and whether another worker could make use of the permit.
async fn claim_on(
    node: &Node,
    claims: &mut Kept,
    queue_name: &str,
    has_permit: bool,
) -> Result<(Option<Claimed>, bool), DbError> {
    let mut conn = claims.take().await?;
    let disk = node.disk();
    let offer = Offer {
        backups: disk.paused.is_none(),
        free_bytes: disk.free_bytes(),
        has_permit,
        ..Offer::new(queue_name, &node.id, node.timing.lease)
    };
    // Without the right disk, jobs for it wait: they would find nothing and take that for a loss.
    let usable = route::worker_of(queue_name).is_none() || disk.trouble.is_none();
    let claimed = match usable {
        true => db::jobs::claim(&mut conn, &offer).await?,
        false => None,
    };
    let of_use_elsewhere = has_permit
        && claimed.is_none()
        && match usable {
            true => db::jobs::has_due_for_others(&mut conn, &offer).await?,
            false => db::jobs::has_due(&mut conn, queue_name).await?,
        };
    claims.keep(conn);
    Ok((claimed, of_use_elsewhere))
}

/// Runs one attempt. Every line that is logged meanwhile says whose and which it is.
async fn run(node: Arc<Node>, claimed: Claimed) {
    let attempt = Attempt::new(claimed.job, claimed.lease);
    let job = &attempt.job;
    let span = tracing::info_span!(
        "job", job = %job.id, tenant = %job.tenant_id, kind = %job.kind, attempt = job.attempt, worker = %node.id
    );
    let began = Instant::now();
    let end = go_through(&node, &attempt).instrument(span).await;
    node.meters
        .attempt(attempt.job.kind, end, began.elapsed(), attempt.progress().bytes);
}

/// The work in a task of its own, the lease kept beside it, then the report.
async fn go_through(node: &Arc<Node>, attempt: &Arc<Attempt>) -> AttemptEnd {
    tracing::info!("began");
    if let Some(earlier) = node.enter(attempt) {
        // An attempt of ours whose lease ran out: its files must be gone before this one begins.
        earlier.stop(StopReason::LeaseLost);
        earlier.over.cancelled().await;
    }
    if node.stopping.is_cancelled() {
        // The claim was on its way when the stop signal came: whoever hands back may have looked before.
        attempt.stop(StopReason::HandBack);
    }
    let work = tokio::spawn((node.work)(node.clone(), attempt.clone()).in_current_span());
    let ended = tokio::select! {
        ended = work => ended,
        never = keeper::keep(node, attempt) => match never {},
    };
    let ended = ended.unwrap_or_else(|fault| {
        tracing::error!(%fault, "the job's code failed");
        Err(JobError::new(
            ErrorCode::Internal,
            "a fault in xVault ended the job",
            "See the worker's log and report it",
        ))
    });
    let end = report(node, attempt, ended).await;
    node.leave(attempt);
    attempt.over.cancel();
    end
}
