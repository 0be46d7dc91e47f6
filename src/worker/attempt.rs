//! One attempt at a job: what is known of it while it runs, and why it shall end.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio_util::sync::CancellationToken;

use super::node::Node;
use crate::{
    artifact::Gauge,
    db::{
        self, Transaction,
        jobs::{self, Lease},
    },
    domain::{
        brief::Brief,
        error_code::ErrorCode,
        job::{Job, JobError, JobPayload, Progress},
        snapshot::SnapshotKey,
    },
};

/// Why an attempt shall end before its work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody cancelled the job.
    Cancelled,
    /// The job is somebody else's by now.
    LeaseLost,
    /// This process stops.
    HandBack,
}

/// One attempt at a job.
pub struct Attempt {
    /// The job.
    pub job: Job,
    /// The right to work on it.
    pub lease: Lease,
    /// Fires when the work shall end.
    pub cancel: CancellationToken,
    /// Fires when the attempt is over and reported.
    pub over: CancellationToken,
    reason: OnceLock<StopReason>,
    gauge: Mutex<Gauge>,
    storing: OnceLock<SnapshotKey>,
}

impl Attempt {
    /// An attempt at a job that was just claimed.
    pub fn new(job: Job, lease: Lease) -> Arc<Self> {
        Arc::new(Self {
            job,
            lease,
            cancel: CancellationToken::new(),
            over: CancellationToken::new(),
            reason: OnceLock::new(),
            gauge: Mutex::default(),
            storing: OnceLock::new(),
        })
    }

    /// Ends the work for this reason; the first reason counts.
    pub fn stop(&self, reason: StopReason) {
        // An earlier reason stands.
        let _ = self.reason.set(reason);
        self.gauge().cancel();
        self.cancel.cancel();
    }

    /// Why the work was stopped, if it was.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.reason.get().copied()
    }

    /// Shows progress from `gauge` from now on, and stops the work behind it with the attempt.
    pub fn watch(&self, gauge: &Gauge) {
        *self.gauge.lock().unwrap_or_else(PoisonError::into_inner) = gauge.clone();
        if self.cancel.is_cancelled() {
            gauge.cancel();
        }
    }

    /// How far the work is.
    pub fn progress(&self) -> Progress {
        self.gauge().progress()
    }

    fn gauge(&self) -> Gauge {
        self.gauge.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes which snapshot this attempt stores, so that nobody takes its files for abandoned.
    pub fn will_store(&self, key: &SnapshotKey) {
        // Called once per attempt.
        let _ = self.storing.set(key.clone());
    }

    /// True if this attempt stores that snapshot.
    pub fn stores(&self, key: &SnapshotKey) -> bool {
        self.storing.get() == Some(key)
    }

    /// The export this attempt makes, if it is a restore.
    pub fn export_id(&self) -> Option<String> {
        match &self.job.payload {
            JobPayload::Restore { export_id, .. } => Some(export_id.to_string()),
            _ => None,
        }
    }

    /// Tells what the work is doing now. A database that is away does not stop the work.
    pub async fn phase(&self, node: &Node, phase: &str, message: &str) {
        let told = async {
            let mut tx = Transaction::begin(&node.pool).await?;
            jobs::enter_phase(&mut tx, &self.lease, phase, message).await?;
            tx.changed_job(&self.job.id);
            tx.commit(&node.notifier).await
        };
        if let Err(error) = db::answered(told).await {
            tracing::warn!(phase, %error, "could not tell the phase");
        }
    }

    /// Asks the hub for what this job needs.
    pub async fn brief(&self, node: &Node) -> Result<Brief, JobError> {
        tokio::select! {
            brief = node.hub.brief(&self.lease, node.timing.brief_patience) => brief,
            () = self.cancel.cancelled() => Err(cancelled()),
        }
    }

    /// Fails once the work shall end.
    pub fn check(&self) -> Result<(), JobError> {
        if self.cancel.is_cancelled() {
            return Err(cancelled());
        }
        Ok(())
    }
}

/// What work that was stopped reports; the reason decides what is made of it.
pub fn cancelled() -> JobError {
    JobError::new(ErrorCode::Cancelled, "stopped before it was done", "")
}
