//! How far a long operation is, and the wish to end it: shared between the thread that does the
//! work and whoever watches it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::domain::{
    error_code::ErrorCode,
    job::{JobError, Progress},
};

/// Counters and a stop flag; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<State>);

#[derive(Debug, Default)]
struct State {
    bytes: AtomicU64,
    files: AtomicU64,
    total_bytes: AtomicU64,
    cancelled: AtomicBool,
}

impl Gauge {
    /// All at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// How far the work is.
    pub fn progress(&self) -> Progress {
        let total = self.0.total_bytes.load(Ordering::Relaxed);
        Progress {
            bytes: self.0.bytes.load(Ordering::Relaxed),
            files: self.0.files.load(Ordering::Relaxed),
            total_bytes: (total > 0).then_some(total),
        }
    }

    /// Asks the work to stop; it ends with [`ErrorCode::Cancelled`] soon after.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }

    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_file(&self) {
        self.0.files.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn expect_bytes(&self, bytes: u64) {
        self.0.total_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Fails once [`Gauge::cancel`] was called.
    pub(crate) fn check(&self) -> Result<(), JobError> {
        if self.0.cancelled.load(Ordering::Relaxed) {
            return Err(JobError::new(ErrorCode::Cancelled, "cancelled", ""));
        }
        Ok(())
    }
}
