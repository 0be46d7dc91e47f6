//! Which queue a job waits in.

use crate::domain::{ids::WorkerId, snapshot::Locator};

/// Jobs that any worker can do: backups and probes.
pub const WORK: &str = "work";

/// Jobs that only one worker can do, because the data lies on its disk.
pub fn of_worker(worker_id: &WorkerId) -> String {
    format!("worker.{worker_id}")
}

/// The worker whose own queue this is; `None` for a queue that any worker serves.
pub fn worker_of(queue: &str) -> Option<WorkerId> {
    queue.strip_prefix("worker.")?.parse().ok()
}

/// Where jobs about a stored snapshot go.
pub fn of_snapshot(locator: &Locator) -> String {
    match locator {
        Locator::LocalFs { worker_id, .. } => of_worker(worker_id),
    }
}
