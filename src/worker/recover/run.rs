//! Goes through a storage, snapshot by snapshot.

use std::collections::{HashMap, HashSet};

use sqlx::{PgConnection, PgPool};

use super::found::{self, Found, Verdict};
use crate::{
    db::{DbError, recovery, snapshots, workers},
    domain::{
        ids::{JobId, StorageId, WorkerId},
        snapshot::{ArtifactFile, Locator, SnapshotKey},
    },
    queue::route,
    storage::{Storage, StorageError, local_fs::LocalFs},
};

/// Rows of the catalogue compared at a time.
const BATCH: i64 = 500;

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Mode {
    /// Write it down; otherwise only say what would be done.
    pub apply: bool,
    /// Make the storage this worker's, with everything in it.
    pub adopt: bool,
}

/// What was found, and with [`Mode::apply`] done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Snapshots the catalogue has, here.
    pub known: usize,
    /// Such as it had lost.
    pub entered: usize,
    /// Such as it had at another worker.
    pub moved: usize,
    /// Such as are rightly not in it.
    pub left: usize,
    /// Such as could not be entered.
    pub refused: usize,
    /// Snapshots the catalogue has of this worker which are not here.
    pub absent: usize,
}

/// Why nothing was done, or not everything.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The storage is not this worker's.
    #[error("this storage {whose}; with --adopt it becomes the one of this worker ({me})")]
    NotOurs {
        /// What it says about its owner.
        whose: String,
        /// Who we are.
        me: WorkerId,
    },
    /// Somebody else may be using it.
    #[error(
        "worker {0} gave a sign of life within the last 30 seconds; stop it and wait a moment, or two workers would \
         have the same snapshots"
    )]
    Alive(WorkerId),
}

impl From<sqlx::Error> for RecoverError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Goes through everything in `storage`, the latest snapshots first, and calls `told` for each. Needs a role that
/// owns the schema. Each snapshot is entered by itself, so a run that was cut off is simply repeated.
pub async fn recover(
    pool: &PgPool,
    storage: &LocalFs,
    me: &WorkerId,
    mode: Mode,
    told: &mut dyn FnMut(&Found),
) -> Result<Summary, RecoverError> {
    let mut conn = pool.acquire().await?;
    let mut run = Run {
        storage,
        me,
        mode,
        entered: HashSet::new(),
        alive: HashMap::new(),
    };
    run.may_work(&mut conn).await?;
    if mode.apply {
        recovery::ensure_worker(&mut conn, me).await?;
    }
    let mut keys = storage.list()?.collect::<Result<Vec<SnapshotKey>, StorageError>>()?;
    keys.sort_by(|a, b| b.snapshot_id.cmp(&a.snapshot_id));
    let mut summary = Summary::default();
    for key in keys {
        let verdict = run.judge(&mut conn, &key).await?;
        let found = Found { key, verdict };
        if mode.apply {
            let mut tx = pool.begin().await?;
            run.write(&mut tx, &found).await?;
            tx.commit().await?;
        }
        summary.count(&found);
        told(&found);
    }
    summary.absent = run.absent(&mut conn).await?;
    if mode.apply {
        run.own(&mut conn).await?;
    }
    Ok(summary)
}

struct Run<'a> {
    storage: &'a LocalFs,
    me: &'a WorkerId,
    mode: Mode,
    /// Jobs whose snapshot is entered.
    entered: HashSet<JobId>,
    /// Workers that were asked for.
    alive: HashMap<WorkerId, bool>,
}

impl Run<'_> {
    /// Fails if the storage is another worker's and shall not, or must not, become ours.
    async fn may_work(&mut self, conn: &mut PgConnection) -> Result<(), RecoverError> {
        let whose = match self.storage.marker()? {
            Some(marker) if marker.worker_id == *self.me => return Ok(()),
            Some(marker) if self.mode.adopt => return self.must_be_dead(conn, &marker.worker_id).await,
            Some(marker) => format!("belongs to worker {}", marker.worker_id),
            None if self.mode.adopt => return Ok(()),
            None => "does not say whose it is".to_owned(),
        };
        Err(RecoverError::NotOurs {
            whose,
            me: self.me.clone(),
        })
    }

    async fn must_be_dead(&mut self, conn: &mut PgConnection, worker: &WorkerId) -> Result<(), RecoverError> {
        let alive = match self.alive.get(worker) {
            Some(alive) => *alive,
            None => recovery::is_alive(conn, worker).await?,
        };
        self.alive.insert(worker.clone(), alive);
        match alive && worker != self.me {
            true => Err(RecoverError::Alive(worker.clone())),
            false => Ok(()),
        }
    }

    async fn judge(&mut self, conn: &mut PgConnection, key: &SnapshotKey) -> Result<Verdict, RecoverError> {
        if let Some(snapshot) = snapshots::get(conn, &key.tenant_id, &key.snapshot_id).await? {
            let verdict = found::known(self.storage, &snapshot, self.me, self.mode.adopt);
            if let Verdict::Move { from } = &verdict {
                self.must_be_dead(conn, from).await?;
            }
            return Ok(verdict);
        }
        let manifest = match found::read(self.storage, key) {
            Ok(manifest) => manifest,
            Err(why) => return Ok(Verdict::Refuse(why)),
        };
        let recipients = &manifest.encryption.recipients;
        let has = recovery::catalogued(conn, key, &manifest.job_id, recipients).await?;
        let Locator::LocalFs { local_path, .. } = self.storage.locator(key);
        let verdict = found::lost(self.storage, &manifest, &has, &self.entered, &local_path);
        if let Verdict::Enter(..) = &verdict {
            self.entered.insert(manifest.job_id);
        }
        Ok(verdict)
    }

    async fn write(&self, conn: &mut PgConnection, found: &Found) -> Result<(), RecoverError> {
        let key = &found.key;
        let action = match &found.verdict {
            Verdict::Enter(recovered, _) => {
                recovery::enter(conn, recovered).await?;
                "snapshot.recover"
            }
            Verdict::Move { .. } => {
                let Locator::LocalFs { local_path, .. } = self.storage.locator(key);
                recovery::move_to(conn, key, self.me, &local_path, &route::of_worker(self.me)).await?;
                "snapshot.adopt"
            }
            Verdict::Known | Verdict::Leave(_) | Verdict::Refuse(_) => return Ok(()),
        };
        Ok(recovery::note(conn, &key.tenant_id, action, &key.snapshot_id).await?)
    }

    /// How many snapshots the catalogue has of this worker, or will have, without files here.
    async fn absent(&self, conn: &mut PgConnection) -> Result<usize, RecoverError> {
        let (mut absent, mut after) = (0, None);
        loop {
            let batch = snapshots::on_worker(conn, self.me, after.as_ref(), BATCH).await?;
            let Some(last) = batch.last() else {
                return Ok(absent);
            };
            after = Some(last.key.snapshot_id.clone());
            let gone = |key: &SnapshotKey| self.storage.head(key, ArtifactFile::Backup).is_err();
            absent += batch.iter().filter(|row| gone(&row.key)).count();
        }
    }

    /// Makes the storage ours, last of all: until then the worker does not touch it.
    async fn own(&self, conn: &mut PgConnection) -> Result<(), RecoverError> {
        let id = match self.storage.marker()? {
            Some(marker) => marker.storage_id,
            None => StorageId::generate(),
        };
        if self.mode.adopt {
            self.storage.mark(&id)?;
        }
        workers::set_storage(conn, self.me, &id).await?;
        Ok(())
    }
}

impl Summary {
    fn count(&mut self, found: &Found) {
        *match found.verdict {
            Verdict::Known => &mut self.known,
            Verdict::Enter(..) => &mut self.entered,
            Verdict::Move { .. } => &mut self.moved,
            Verdict::Leave(_) => &mut self.left,
            Verdict::Refuse(_) => &mut self.refused,
        } += 1;
    }
}
