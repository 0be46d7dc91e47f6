//! The fleet as a whole: hubs, workers, queues, and what depends on workers that are not there.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::ActionError;
use crate::{
    db::{
        gauges::{self, JobCount, QueueDepth, SnapshotCount},
        holdings::{self, Dependence},
        hubs::{self, HubRow},
        workers,
    },
    domain::{ids::WorkerId, worker::Worker},
    hub::{Hub, recent::Recent},
    queue::route,
};

/// How long the facts are good for: pages show them on every visit.
const FRESH: Duration = Duration::from_secs(3);

/// Silence after which a hub counts as gone: three missed signs of life.
pub const HUB_SILENCE: Duration = Duration::from_secs(30);

/// How long counts of jobs and snapshots are good for: they are for monitoring.
const COUNTED: Duration = Duration::from_secs(10);

/// What is counted for monitoring. Two values, because snapshots may be a million and take their time.
#[derive(Debug, Default)]
pub struct Counts {
    jobs: Recent<Vec<JobCount>>,
    snapshots: Recent<Vec<SnapshotCount>>,
}

/// Active jobs, as they were at most some seconds ago.
pub async fn job_counts(hub: &Hub) -> Result<Vec<JobCount>, ActionError> {
    let count = async { Ok(gauges::jobs(&mut *hub.connection().await?).await?) };
    hub.counts.jobs.get(COUNTED, count).await
}

/// Snapshots by state, as they were a moment ago: some seconds, more where there are very many.
pub async fn snapshot_counts(hub: &Hub) -> Result<Vec<SnapshotCount>, ActionError> {
    let count = async { Ok(gauges::snapshots(&mut *hub.connection().await?).await?) };
    hub.counts.snapshots.get(COUNTED, count).await
}

/// What is known of the fleet at one moment.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// When it was looked at.
    pub seen_at: DateTime<Utc>,
    /// Workers that are not retired.
    pub workers: Vec<Worker>,
    /// Hubs that are there.
    pub hubs: Vec<HubRow>,
    /// Queues in which jobs are due.
    pub queues: Vec<QueueDepth>,
    dependence: Vec<Dependence>,
}

/// The fleet, as it was at most a few seconds ago.
pub async fn of(hub: &Hub) -> Result<Fleet, ActionError> {
    hub.fleet.get(FRESH, look(hub)).await
}

async fn look(hub: &Hub) -> Result<Fleet, ActionError> {
    let mut conn = hub.connection().await?;
    let mut fleet = Fleet {
        seen_at: hub.clock.now(),
        workers: workers::fleet(&mut conn).await?,
        hubs: hubs::list(&mut conn, HUB_SILENCE).await?,
        queues: gauges::queues(&mut conn).await?,
        dependence: Vec::new(),
    };
    let gone: Vec<WorkerId> = fleet.gone().map(|worker| worker.id.clone()).collect();
    if !gone.is_empty() {
        fleet.dependence = holdings::dependence(&mut conn, &gone).await?;
    }
    Ok(fleet)
}

impl Fleet {
    /// Workers that are there.
    pub fn online(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(|worker| worker.is_online(self.seen_at))
    }

    /// Workers that are away or stopped.
    pub fn gone(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(|worker| !worker.is_online(self.seen_at))
    }

    /// What lies on the disk of a worker that is not there, if anything does.
    pub fn lies_with(&self, worker: &Worker) -> Option<&Dependence> {
        self.dependence.iter().find(|found| found.worker_id == worker.id)
    }

    /// Due jobs of the queue that any worker serves.
    pub fn work(&self) -> Option<&QueueDepth> {
        self.queues.iter().find(|queue| queue.queue == route::WORK)
    }

    /// Due jobs that only this worker can do.
    pub fn waiting_for(&self, worker: &Worker) -> Option<&QueueDepth> {
        let own = route::of_worker(&worker.id);
        self.queues.iter().find(|queue| queue.queue == own)
    }

    /// Versions that run, sorted.
    pub fn versions(&self) -> Vec<&str> {
        let hubs = self.hubs.iter().map(|hub| hub.version.as_str());
        let mut versions: Vec<&str> = hubs
            .chain(self.online().map(|worker| worker.version.as_str()))
            .collect();
        versions.sort_unstable();
        versions.dedup();
        versions
    }
}
