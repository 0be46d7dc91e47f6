//! Removes used tickets (apalis keeps them for ever, and history lives in `jobs`) and what else the queue needs no more.

use std::time::Duration;

use super::BATCH;
use crate::{
    db::{DbError, limits, tickets},
    hub::Hub,
};

/// How often.
pub const EVERY: Duration = Duration::from_secs(60);

/// How long a used ticket is kept, for whoever debugs the queue.
const KEEP: Duration = Duration::from_secs(60 * 60);

/// How long a consumer's name is kept after its last sign of life.
const KEEP_CONSUMERS: Duration = Duration::from_secs(24 * 60 * 60);

/// One round.
pub async fn once(hub: Hub) -> Result<u64, DbError> {
    let mut conn = hub.pool.acquire().await?;
    let pruned = tickets::prune(&mut conn, KEEP, BATCH).await?;
    tickets::prune_consumers(&mut conn, KEEP_CONSUMERS).await?;
    limits::prune_busy_hosts(&mut conn, BATCH).await?;
    Ok(pruned)
}
