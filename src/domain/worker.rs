//! Workers: the processes that move data, as the catalogue knows them.

use chrono::{DateTime, TimeDelta, Utc};

use super::{ids::WorkerId, job::text_enum};

text_enum! {
    /// What a worker is up to.
    WorkerState {
        /// Claims jobs.
        Active = "active",
        /// Alive, but takes no backups just now (see [`Worker::paused_reason`]).
        Paused = "paused",
        /// Takes no backups and probes because an operator wants that; serves what it has.
        Draining = "draining",
        /// Its process is shutting down: finishes what it has and takes nothing new.
        Stopping = "stopping",
        /// Said goodbye.
        Stopped = "stopped",
        /// Has not been heard of for a while.
        Away = "away",
        /// Gone for ever.
        Retired = "retired",
    }
}

/// What the operator wants of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Take whatever is due.
    Work,
    /// Take no new backups and probes.
    Drain,
    /// End: it is retired, and nothing it does counts any more.
    Retire,
}

/// A worker as catalogued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its lasting identity.
    pub id: WorkerId,
    /// What its host calls itself.
    pub hostname: String,
    /// Version of xVault it runs.
    pub version: String,
    /// Base URL users download from.
    pub url: String,
    /// Base URL hubs reach it under, if that is another one.
    pub internal_url: Option<String>,
    /// Jobs it runs at once, at most.
    pub concurrency: i32,
    /// Jobs it runs just now.
    pub running: i32,
    /// Size of its storage in bytes.
    pub storage_total_bytes: Option<i64>,
    /// Free space of its storage in bytes.
    pub storage_free_bytes: Option<i64>,
    /// Why it takes no backups just now.
    pub paused_reason: Option<String>,
    /// True while its process shuts down.
    pub stopping: bool,
    /// Since when it shall take no new backups and probes.
    pub drain_requested_at: Option<DateTime<Utc>>,
    /// When it was retired.
    pub retired_at: Option<DateTime<Utc>>,
    /// When it was first heard of.
    pub first_seen_at: DateTime<Utc>,
    /// When it was last heard of.
    pub last_seen_at: DateTime<Utc>,
    /// When it said goodbye.
    pub stopped_at: Option<DateTime<Utc>>,
    /// What it found when it last compared its disk with the catalogue.
    pub disk: DiskReport,
}

/// What a worker found on its disk beside what the catalogue expects there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskReport {
    /// When it last looked; `None` if it never did.
    pub reconciled_at: Option<DateTime<Utc>>,
    /// Snapshots that no job stands behind; they go when they are old enough.
    pub orphans: i32,
    /// How many such it has removed so far.
    pub orphans_removed: i64,
    /// Snapshots the catalogue has lost; `xvault recover` enters them again.
    pub unclaimed: i32,
}

impl Worker {
    /// Silence after which a worker counts as away: six missed heartbeats.
    pub const AWAY_AFTER: TimeDelta = TimeDelta::seconds(30);

    /// What it is up to, seen at `now`.
    pub fn state(&self, now: DateTime<Utc>) -> WorkerState {
        if self.retired_at.is_some() {
            WorkerState::Retired
        } else if self.stopped_at.is_some() {
            WorkerState::Stopped
        } else if now - self.last_seen_at > Self::AWAY_AFTER {
            WorkerState::Away
        } else if self.stopping {
            WorkerState::Stopping
        } else if self.drain_requested_at.is_some() {
            WorkerState::Draining
        } else if self.paused_reason.is_some() {
            WorkerState::Paused
        } else {
            WorkerState::Active
        }
    }

    /// True if its process is there, seen at `now`.
    pub fn is_online(&self, now: DateTime<Utc>) -> bool {
        !matches!(
            self.state(now),
            WorkerState::Stopped | WorkerState::Away | WorkerState::Retired
        )
    }

    /// True if it takes backups just now.
    pub fn takes_backups(&self, now: DateTime<Utc>) -> bool {
        self.state(now) == WorkerState::Active
    }

    /// Since when its process has not been there.
    pub fn gone_since(&self) -> DateTime<Utc> {
        self.stopped_at.unwrap_or(self.last_seen_at)
    }

    /// Base URL under which a hub reaches it.
    pub fn hub_facing_url(&self) -> &str {
        self.internal_url.as_deref().unwrap_or(&self.url)
    }
}
