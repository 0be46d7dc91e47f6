//! The worker's sign of life: its row in `workers`, refreshed every few seconds.

use std::sync::Arc;

use super::node::Node;
use crate::{
    db::{
        DbError,
        workers::{self, Heartbeat},
    },
    storage::Storage,
};

/// Writes the row until the future is dropped. The first one must come before anything is claimed,
/// because jobs point to it: see [`beat`].
pub async fn keep_beating(node: &Arc<Node>) {
    loop {
        tokio::time::sleep(node.timing.heartbeat_every).await;
        if let Err(error) = beat(node).await {
            tracing::warn!(%error, "the heartbeat did not get through");
        }
    }
}

/// Writes the row once.
pub async fn beat(node: &Arc<Node>) -> Result<(), DbError> {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let beat = Heartbeat {
        id: node.id.clone(),
        hostname: hostname(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        url: node.config.url.to_string(),
        internal_url: node.config.internal_url.as_ref().map(ToString::to_string),
        concurrency: count(node.config.concurrency),
        running: count(node.running().len()),
        storage: node
            .storage
            .space()
            .ok()
            .flatten()
            .map(|(total, free)| (signed(total), signed(free))),
        paused_reason: node.paused_reason(),
        draining: node.stopping.is_cancelled(),
    };
    let mut conn = node.pool.acquire().await?;
    workers::heartbeat(&mut conn, &beat).await
}

/// The last row: this worker has stopped.
pub async fn say_goodbye(node: &Node) -> Result<(), DbError> {
    let mut conn = node.pool.acquire().await?;
    workers::stopped(&mut conn, &node.id).await
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
