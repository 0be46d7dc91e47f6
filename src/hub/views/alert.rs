//! What somebody should know about the fleet.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ids::WorkerId;

/// What is wrong; stable, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// No worker is there.
    NoWorkerOnline,
    /// Workers are there, but none takes backups.
    NobodyTakesBackups,
    /// A worker is away, or was stopped while it has what is needed.
    WorkerAway,
    /// Snapshots of the caller's tenant lie with a worker that is away.
    SnapshotsUnreachable,
    /// Jobs have been due for long although workers are there.
    QueueStuck,
    /// A worker's disk is full or nearly so.
    DiskShort,
    /// Hubs and workers run several versions.
    VersionsDiffer,
}

/// How much it matters; the smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look at it.
    Warning,
    /// Something does not work.
    Critical,
}

/// Something that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AlertView {
    /// What is wrong.
    pub kind: AlertKind,
    /// How much it matters.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
    /// What it means and what to do.
    pub hint: String,
    /// Since when, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// The worker it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<WorkerId>,
}

impl AlertView {
    /// An alert about nothing in particular.
    pub fn new(kind: AlertKind, severity: Severity, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind,
            severity,
            message: message.into(),
            hint: hint.into(),
            since: None,
            worker_id: None,
        }
    }

    /// CSS class of a note about it.
    pub fn tone(&self) -> &'static str {
        match self.severity {
            Severity::Info => "info",
            Severity::Warning => "warn",
            Severity::Critical => "bad",
        }
    }

    /// Drawing beside it.
    pub fn icon(&self) -> &'static str {
        match self.severity {
            Severity::Info => "info",
            Severity::Warning | Severity::Critical => "warning",
        }
    }
}
