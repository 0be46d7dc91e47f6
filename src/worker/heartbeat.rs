//! The worker's sign of life: its row in `workers`, refreshed every few seconds.

use std::sync::Arc;

use super::{node::Node, run::WorkerError};
use crate::{
    db::{
        self, DbError, schema,
        workers::{self, Heartbeat},
    },
    domain::worker::Wish,
};

/// Writes the row until the future is dropped, or until this process must not go on: then it stops,
/// and the answer says why. The first beat must come before anything is claimed, because jobs point to
/// the row: see [`beat`].
pub async fn keep_beating(node: &Arc<Node>) -> WorkerError {
    loop {
        tokio::time::sleep(node.timing.heartbeat_every).await;
        match beat(node).await {
            Ok(()) => {}
            Err(error @ (WorkerError::Retired(_) | WorkerError::Schema(_))) => {
                tracing::error!(%error, "stopping");
                node.stopping.cancel();
                return error;
            }
            Err(error) => tracing::warn!(%error, "the heartbeat did not get through"),
        }
    }
}

/// Writes the row once, and heeds what the operator wants. Fails for good if the worker is retired or
/// the schema is not one that this version may work on.
pub async fn beat(node: &Arc<Node>) -> Result<(), WorkerError> {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let disk = node.disk();
    let beat = Heartbeat {
        id: node.id.clone(),
        hostname: hostname(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        url: node.config.url.to_string(),
        internal_url: node.config.internal_url.as_ref().map(ToString::to_string),
        concurrency: count(node.config.concurrency),
        running: count(node.running().len()),
        storage: disk.space.map(|(total, free)| (signed(total), signed(free))),
        paused_reason: disk.paused,
        stopping: node.stopping.is_cancelled(),
    };
    let told = async {
        let mut conn = node.pool.acquire().await?;
        let fit = schema::fit(&mut conn).await?;
        match fit.is_fine() {
            true => workers::heartbeat(&mut conn, &beat).await.map(Ok),
            false => Ok(Err(WorkerError::Schema(fit))),
        }
    };
    match db::answered(told).await?? {
        Wish::Work => node.set_drained(false),
        Wish::Drain => node.set_drained(true),
        Wish::Retire => return Err(WorkerError::Retired(node.id.clone())),
    }
    Ok(())
}

/// The last row: this worker has stopped.
pub async fn say_goodbye(node: &Node) -> Result<(), DbError> {
    db::answered(async { workers::stopped(&mut *node.pool.acquire().await?, &node.id).await }).await
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
