//! What this hub process has done, for Prometheus.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one process.
#[derive(Debug, Default)]
pub struct Meters {
    requeued: AtomicU64,
    ended: AtomicU64,
}

impl Meters {
    /// Counts a job that was taken from a silent worker, and whether it runs again.
    pub fn lease_lost(&self, runs_again: bool) {
        let counter = if runs_again { &self.requeued } else { &self.ended };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Jobs taken from silent workers: those that run again, and those that ended.
    pub fn lease_losses(&self) -> [(&'static str, u64); 2] {
        [
            ("queued", self.requeued.load(Ordering::Relaxed)),
            ("ended", self.ended.load(Ordering::Relaxed)),
        ]
    }
}
