//! What the parts of one worker process share.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use futures::future::BoxFuture;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    attempt::Attempt, brief::HubClient, downloads::ledger::Ledger, meters::Meters, outcome::Outcome,
    reconcile::Standing, timing::Timing,
};
use crate::{
    clock::Clock,
    config::WorkerConfig,
    connectors::{egress::EgressPolicy, open::ConnectorContext},
    db::{Kept, Notifier},
    domain::{
        ids::{ExportId, JobId, WorkerId},
        job::JobError,
        snapshot::SnapshotKey,
    },
    storage::{Storage, local_fs::LocalFs},
};

/// The work of an attempt, from claim to report. Always that of [`super::jobs`], except where only the life of
/// jobs around it is of interest.
pub type Work = Arc<dyn Fn(Arc<Node>, Arc<Attempt>) -> BoxFuture<'static, Result<Outcome, JobError>> + Send + Sync>;

/// One worker process.
pub struct Node {
    /// Its lasting identity.
    pub id: WorkerId,
    /// What the operator chose.
    pub config: WorkerConfig,
    /// Periods.
    pub timing: Timing,
    /// The database, with a worker's rights.
    pub pool: PgPool,
    /// Tells other processes what changed.
    pub notifier: Notifier,
    /// Wall time.
    pub clock: Clock,
    /// Where snapshots lie.
    pub storage: Arc<LocalFs>,
    /// Where briefs come from.
    pub hub: HubClient,
    /// Which addresses sources may have.
    pub egress: Arc<EgressPolicy>,
    /// Fires when the process should stop: nothing new is taken.
    pub stopping: CancellationToken,
    /// True while the operator wants no new backups and probes here; see [`Node::set_drained`].
    drained: watch::Sender<bool>,
    /// What this process has done.
    pub meters: Meters,
    /// Downloads under way.
    pub ledger: Ledger,
    /// Our own program, which ssh calls for passwords.
    pub askpass: PathBuf,
    /// Does what a job asks for.
    pub work: Work,
    /// The connection that claims; one claim of a process at a time, because the database lets one of the fleet through
    /// at a time anyway.
    pub claims: tokio::sync::Mutex<Kept>,
    /// The attempts of this process, one per job.
    attempts: Mutex<HashMap<JobId, Arc<Attempt>>>,
    /// Whether the storage is the one our snapshots lie in.
    standing: Mutex<Standing>,
}

/// The parts of a [`Node`] that are made elsewhere.
pub struct Parts {
    /// As in [`Node`].
    pub id: WorkerId,
    /// As in [`Node`].
    pub config: WorkerConfig,
    /// As in [`Node`].
    pub pool: PgPool,
    /// As in [`Node`].
    pub clock: Clock,
    /// As in [`Node`].
    pub storage: Arc<LocalFs>,
    /// As in [`Node`].
    pub hub: HubClient,
    /// As in [`Node`].
    pub askpass: PathBuf,
    /// As in [`Node`].
    pub stopping: CancellationToken,
    /// As in [`Node`].
    pub work: Work,
}

/// The disk of a worker at one moment.
#[derive(Debug)]
pub struct Disk {
    /// Its size and what is free of it, in bytes, if known.
    pub space: Option<(u64, u64)>,
    /// Why nothing that lies on it can be worked on; see [`Node::storage_trouble`].
    pub trouble: Option<String>,
    /// Why this worker takes no backups because of it: `trouble`, or too little room.
    pub paused: Option<String>,
}

impl Disk {
    /// What is free, in bytes, if known.
    pub fn free_bytes(&self) -> Option<u64> {
        self.space.map(|(_, free)| free)
    }
}

impl Node {
    /// Joins the parts.
    pub fn new(parts: Parts) -> Arc<Self> {
        let timing = Timing::new(
            parts.config.lease,
            parts.config.retry_base,
            parts.config.reconcile_every,
        );
        let egress = Arc::new(EgressPolicy::new(parts.config.egress_allow.clone()));
        Arc::new(Self {
            id: parts.id,
            timing,
            claims: tokio::sync::Mutex::new(Kept::of(parts.pool.clone())),
            pool: parts.pool,
            notifier: Notifier::default(),
            clock: parts.clock,
            storage: parts.storage,
            hub: parts.hub,
            egress,
            stopping: parts.stopping,
            drained: watch::Sender::new(false),
            meters: Meters::default(),
            ledger: Ledger::default(),
            askpass: parts.askpass,
            work: parts.work,
            attempts: Mutex::default(),
            standing: Mutex::new(Standing::Unknown),
            config: parts.config,
        })
    }

    /// Heeds what the operator wants: no new backups and probes, or all that is due.
    pub fn set_drained(&self, drained: bool) {
        let changed = self
            .drained
            .send_if_modified(|current| std::mem::replace(current, drained) != drained);
        match (changed, drained) {
            (true, true) => tracing::info!("drained: taking no new backups and probes"),
            (true, false) => tracing::info!("not drained any more: taking backups and probes again"),
            (false, _) => {}
        }
    }

    /// True while the operator wants no new backups and probes here.
    pub fn is_drained(&self) -> bool {
        *self.drained.borrow()
    }

    /// Waits until this worker takes backups again, or stops.
    pub async fn while_drained(&self) {
        let mut drained = self.drained.subscribe();
        tokio::select! {
            // Fails only if the node is gone, which we hold.
            _ = drained.wait_for(|drained| !drained) => {}
            () = self.stopping.cancelled() => {}
        }
    }

    /// The disk as it is now; asks the system, so once per occasion is enough.
    pub fn disk(&self) -> Disk {
        let (trouble, space) = (self.storage_trouble(), self.storage.space());
        let paused = trouble.clone().or_else(|| match &space {
            Ok(Some((_, free))) if *free < self.config.min_free_bytes => Some(format!(
                "{} has {} MiB free, less than XVAULT_MIN_FREE ({} MiB)",
                self.config.storage_dir.display(),
                free >> 20,
                self.config.min_free_bytes >> 20
            )),
            Ok(_) => None,
            Err(error) => Some(format!("the storage cannot be used: {error}")),
        });
        Disk {
            space: space.ok().flatten(),
            trouble,
            paused,
        }
    }

    /// Why nothing on this disk can be worked on just now: it is not, or may not be, the storage that our
    /// snapshots lie in.
    pub fn storage_trouble(&self) -> Option<String> {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match standing {
            Standing::Unknown => Some("the storage has not been compared with the catalogue yet".to_owned()),
            Standing::Another(reason) => Some(reason),
            Standing::Ours => self.storage.check().err().map(|error| error.to_string()),
        }
    }

    /// Notes whether the storage is ours.
    pub fn set_storage_standing(&self, standing: Standing) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// What connectors need of us.
    pub fn connector_context(&self) -> ConnectorContext {
        ConnectorContext {
            egress: self.egress.clone(),
            tmp_dir: self.config.tmp_dir.clone(),
            askpass: self.askpass.clone(),
            now: self.clock.now(),
        }
    }

    /// Where the file of an export lies.
    pub fn export_path(&self, id: &ExportId) -> PathBuf {
        self.exports_dir().join(id.as_str())
    }

    /// Where exports lie.
    pub fn exports_dir(&self) -> PathBuf {
        self.config.data_dir.join("exports")
    }

    /// Enters an attempt; returns the one of the same job that is still running here, if there is.
    pub fn enter(&self, attempt: &Arc<Attempt>) -> Option<Arc<Attempt>> {
        self.attempts().insert(attempt.job.id.clone(), attempt.clone())
    }

    /// Takes an attempt off the list, unless a later one of the same job has its place.
    pub fn leave(&self, attempt: &Arc<Attempt>) {
        let mut attempts = self.attempts();
        if attempts
            .get(&attempt.job.id)
            .is_some_and(|current| Arc::ptr_eq(current, attempt))
        {
            attempts.remove(&attempt.job.id);
        }
    }

    /// The attempts that run now.
    pub fn running(&self) -> Vec<Arc<Attempt>> {
        self.attempts().values().cloned().collect()
    }

    /// True if an attempt that runs now is storing this snapshot.
    pub fn is_storing(&self, key: &SnapshotKey) -> bool {
        self.attempts().values().any(|attempt| attempt.stores(key))
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Arc<Attempt>>> {
        // A panic elsewhere does not make this map less true.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
