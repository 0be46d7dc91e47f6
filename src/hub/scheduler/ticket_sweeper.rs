//! Puts back tickets that were lost: used by a worker that died before it claimed, or by one that
//! found all candidates locked. Too many tickets do no harm, so nothing here has to be exact.

use std::time::Duration;

use super::BATCH;
use crate::{
    db::{DbError, Transaction, tickets},
    hub::Hub,
    queue,
};

/// How often queues and jobs are compared.
pub const EVERY: Duration = Duration::from_secs(5);

/// How long a job must have been due; below that, its ticket is most likely being used just now.
const GRACE: Duration = Duration::from_secs(5);

/// Tickets added to one queue per round at most.
const MOST: i64 = 1000;

/// One round. Two hubs in the same moment would both add the tickets, so one lets the other do it.
pub async fn once(hub: Hub) -> Result<u64, DbError> {
    let mut tx = Transaction::begin(&hub.pool).await?;
    if !tickets::lock_sweeping(&mut tx).await? {
        return Ok(0);
    }
    for shortage in tickets::shortages(&mut tx, GRACE, BATCH).await? {
        tracing::info!(
            queue = shortage.queue,
            tickets = shortage.missing,
            "putting back lost tickets"
        );
        let count = usize::try_from(shortage.missing.min(MOST)).unwrap_or(0);
        queue::push_at(&mut tx, &shortage.queue, hub.clock.now(), count).await?;
        tx.added_work(&shortage.queue);
    }
    tx.commit(&hub.notifier).await?;
    Ok(0)
}
