//! From the disk to the catalogue: snapshots that nobody knows. What an attempt stored but could not report
//! goes when it is old enough; what the catalogue has lost is kept and told.

use std::{collections::HashSet, sync::Arc};

use chrono::TimeDelta;

use super::{BATCH, ReconcileError};
use crate::{
    artifact::{self, Stored},
    db::{
        self,
        snapshots::{self, Standing},
        workers::Reconciled,
    },
    domain::{ids::JobId, snapshot::SnapshotKey},
    storage::{Storage, StorageError},
    worker::node::Node,
};

/// Goes through everything on the disk; says what it found.
pub async fn sweep(node: &Arc<Node>) -> Result<Reconciled, ReconcileError> {
    let storage = node.storage.clone();
    let (sender, mut keys) = tokio::sync::mpsc::channel::<SnapshotKey>(BATCH);
    let listing = tokio::task::spawn_blocking(move || -> Result<(), StorageError> {
        for key in storage.list()? {
            if sender.blocking_send(key?).is_err() {
                break;
            }
        }
        Ok(())
    });
    let mut found = Reconciled::default();
    let mut batch = Vec::new();
    while keys.recv_many(&mut batch, BATCH).await > 0 {
        for key in unknown(node, std::mem::take(&mut batch)).await? {
            look_into(node, key, &mut found).await?;
        }
    }
    listing.await??;
    Ok(found)
}

/// Those that the catalogue does not have and that no attempt of ours is storing.
async fn unknown(node: &Arc<Node>, keys: Vec<SnapshotKey>) -> Result<Vec<SnapshotKey>, ReconcileError> {
    // Asked first: an attempt that reports in between is then still on the list.
    let keys: Vec<SnapshotKey> = keys.into_iter().filter(|key| !node.is_storing(key)).collect();
    let ids: Vec<_> = keys.iter().map(|key| key.snapshot_id.clone()).collect();
    let asked = async { snapshots::known_of(&mut *node.pool.acquire().await?, &ids).await };
    let known: HashSet<SnapshotKey> = db::answered(asked).await?.into_iter().collect();
    Ok(keys.into_iter().filter(|key| !known.contains(key)).collect())
}

async fn look_into(node: &Arc<Node>, key: SnapshotKey, found: &mut Reconciled) -> Result<(), ReconcileError> {
    let standing = match made_by(node, &key).await? {
        Some(job_id) => {
            let asked = async { snapshots::standing(&mut *node.pool.acquire().await?, &key, &job_id).await };
            db::answered(asked).await?
        }
        None => Standing::Lost("its manifest cannot be read".to_owned()),
    };
    let why = match standing {
        Standing::Known => return Ok(()),
        Standing::Lost(why) => {
            found.unclaimed += 1;
            tracing::warn!(
                tenant = %key.tenant_id, snapshot = %key.snapshot_id, why,
                "on disk but not in the catalogue; keeping it, `xvault recover` may enter it again"
            );
            return Ok(());
        }
        Standing::Orphan(why) => why,
    };
    let arrived = match node.storage.arrived(&key) {
        Ok(arrived) => arrived,
        Err(StorageError::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let grace = TimeDelta::from_std(node.config.orphan_grace).unwrap_or(TimeDelta::MAX);
    if node.clock.now() - arrived < grace {
        found.orphans += 1;
        tracing::info!(tenant = %key.tenant_id, snapshot = %key.snapshot_id, why, %arrived, "an orphan; it goes after the grace period");
        return Ok(());
    }
    tracing::warn!(tenant = %key.tenant_id, snapshot = %key.snapshot_id, why, %arrived, "removing an orphan");
    let storage = node.storage.clone();
    tokio::task::spawn_blocking(move || storage.delete(&key)).await??;
    found.removed += 1;
    Ok(())
}

/// The job that made a snapshot, if its manifest can be read.
async fn made_by(node: &Arc<Node>, key: &SnapshotKey) -> Result<Option<JobId>, ReconcileError> {
    let (storage, key) = (node.storage.clone(), key.clone());
    let read = tokio::task::spawn_blocking(move || {
        let files = Stored {
            storage: storage.as_ref(),
            key: &key,
        };
        artifact::manifest(&files).ok().filter(|manifest| manifest.key == key)
    });
    Ok(read.await?.map(|manifest| manifest.job_id))
}
