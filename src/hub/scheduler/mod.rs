//! Housekeeping of the control plane: one duty per file, each safe to run on several hubs at once.
//!
//! There is no leader. A duty takes what it works on with `FOR UPDATE SKIP LOCKED`, or does something
//! that does no harm when it is done twice. Knows `db` and `queue`; nothing of HTTP.

mod expired_exports;
mod expired_requests;
mod expired_sessions;
mod presence;
mod queue_pruner;
mod reaper;
mod ticket_sweeper;
pub mod verification;

use std::{future::Future, time::Duration};

use tokio::task::JoinSet;

use super::Hub;
use crate::db::{self, DbError};

/// Rows handled per transaction, so that no lock is held for long.
const BATCH: i64 = 500;

/// How long one round of a duty may take; a connection that broke without a word would hold it up for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs every duty until the hub stops.
pub async fn run(hub: Hub) {
    let mut duties = JoinSet::new();
    duties.spawn(repeat("reaper", reaper::EVERY, hub.clone(), reaper::once));
    duties.spawn(repeat(
        "ticket sweeper",
        ticket_sweeper::EVERY,
        hub.clone(),
        ticket_sweeper::once,
    ));
    duties.spawn(repeat("presence", presence::EVERY, hub.clone(), presence::once));
    duties.spawn(repeat(
        "queue pruner",
        queue_pruner::EVERY,
        hub.clone(),
        queue_pruner::once,
    ));
    duties.spawn(repeat(
        "expired exports",
        expired_exports::EVERY,
        hub.clone(),
        expired_exports::once,
    ));
    duties.spawn(repeat(
        "expired sessions",
        expired_sessions::EVERY,
        hub.clone(),
        expired_sessions::once,
    ));
    duties.spawn(repeat(
        "expired requests",
        expired_requests::EVERY,
        hub.clone(),
        expired_requests::once,
    ));
    duties.spawn(repeat(
        "verification",
        verification::EVERY,
        hub.clone(),
        verification::once,
    ));
    hub.shutdown.cancelled().await;
    // A duty that is cut off is rolled back, and done by the next hub.
    duties.shutdown().await;
    if let Err(error) = db::answered(presence::leave(&hub)).await {
        tracing::warn!(%error, "could not say goodbye; the others will notice");
    }
}

/// Does a duty again and again. `once` returns how much it did; after a full batch it goes on at once.
async fn repeat<F, Fut>(name: &'static str, every: Duration, hub: Hub, once: F)
where
    F: Fn(Hub) -> Fut,
    Fut: Future<Output = Result<u64, DbError>>,
{
    loop {
        let round = tokio::time::timeout(PATIENCE, once(hub.clone())).await;
        match round.unwrap_or(Err(DbError::Silent(PATIENCE))) {
            Ok(done) if done >= BATCH.unsigned_abs() => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(duty = name, %error, "could not do its duty; it will be tried again"),
        }
        tokio::time::sleep(every).await;
    }
}
