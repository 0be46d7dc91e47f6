//! A worker as the platform's administrator sees it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::ids::WorkerId;

/// A process of the data plane.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WorkerView {
    /// Its lasting id.
    pub id: WorkerId,
    /// Its host.
    pub hostname: String,
    /// Its version.
    pub version: String,
    /// How it is.
    pub state: WorkerState,
    /// Why it takes no backups just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_reason: Option<String>,
    /// When it was first heard of.
    pub first_seen_at: DateTime<Utc>,
    /// When it was last heard of.
    pub last_seen_at: DateTime<Utc>,
    /// Jobs it runs now.
    pub running: i32,
    /// Jobs it runs at most.
    pub concurrency: i32,
    /// Its storage, as last reported.
    pub storage: StorageView,
}

/// How a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// Takes jobs.
    Online,
    /// Runs, but takes no backups; see the reason.
    Paused,
    /// Finishes what it has, then stops.
    Draining,
    /// Not heard of for a while, or stopped.
    Away,
}

/// Room for backups.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct StorageView {
    /// All of it, in bytes.
    pub total_bytes: Option<i64>,
    /// What is left, in bytes.
    pub free_bytes: Option<i64>,
}
