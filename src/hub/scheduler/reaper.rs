//! Takes jobs from workers that went silent.

use std::time::Duration;

use super::BATCH;
use crate::{
    db::{DbError, Transaction},
    hub::Hub,
    queue,
};

/// How often expired leases are looked for.
pub const EVERY: Duration = Duration::from_secs(2);

/// One round.
pub async fn once(hub: Hub) -> Result<u64, DbError> {
    let mut tx = Transaction::begin(&hub.pool).await?;
    let reaped = queue::reap(&mut tx, BATCH, hub.settings.settling).await?;
    for job in &reaped {
        tx.changed_job(&job.job_id);
        if let Some(queue) = &job.requeued_in {
            tx.added_work(queue);
        }
    }
    tx.commit(&hub.notifier).await?;
    for job in &reaped {
        hub.meters.lease_lost(job.requeued_in.is_some());
        tracing::warn!(job = %job.job_id, again = job.requeued_in.is_some(), "its worker went silent");
    }
    Ok(reaped.len() as u64)
}
