//! The history of a job, in sentences for people.

use chrono::{DateTime, Utc};

use super::{error_code::ErrorCode, job::text_enum};

text_enum! {
    /// What happened to a job.
    JobEventKind {
        /// Ordered, or waiting again.
        Queued = "queued",
        /// A worker took it.
        Claimed = "claimed",
        /// Its work entered another phase.
        Phase = "phase",
        /// An attempt failed and another one follows.
        Retry = "retry",
        /// A worker gave it back without fault of the job.
        HandedBack = "handed_back",
        /// Its worker went silent.
        LeaseLost = "lease_lost",
        /// Somebody asked to cancel it.
        CancelRequested = "cancel_requested",
        /// Done.
        Succeeded = "succeeded",
        /// Done, with something missing.
        Partial = "partial",
        /// Ended without result.
        Failed = "failed",
        /// Ended by a person.
        Cancelled = "cancelled",
    }
}

impl JobEventKind {
    /// True if it says why an attempt came to nothing.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Retry | Self::LeaseLost | Self::Failed)
    }
}

/// One thing that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEvent {
    /// Grows with time; where a reader goes on.
    pub seq: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// During which attempt; 0 before the first.
    pub attempt: i32,
    /// What happened.
    pub kind: JobEventKind,
    /// The same in a sentence.
    pub message: String,
    /// Of what the attempt failed, if it did.
    pub error_code: Option<ErrorCode>,
}
