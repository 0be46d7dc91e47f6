//! A worker's disk and the catalogue, compared at the start and regularly: what the catalogue expects and the
//! disk does not have, what lies on the disk and nobody expects, and what crashes and time left behind.
//!
//! It must not know what jobs do: of a running attempt it knows only which snapshot or export it makes.

mod faults;
mod leftovers;
mod orphans;
mod reread;
mod storage;

use std::{sync::Arc, time::Duration};

use super::node::Node;
use crate::{
    db::{self, DbError, workers},
    storage::StorageError,
};

pub use leftovers::prepare_directories;
use reread::Rereads;
pub use storage::{Standing, establish};

/// Rows of the catalogue, or directories, compared at a time.
const BATCH: usize = 500;

/// How often to look while the storage is not the right one, or the comparison did not finish.
const SOON: Duration = Duration::from_secs(5);

/// Why a comparison did not finish; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A thread.
    #[error("comparing disk and catalogue ended early: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

/// Compares disk and catalogue now and then until the future is dropped.
pub async fn keep_reconciled(node: &Arc<Node>) {
    let mut rereads = Rereads::default();
    loop {
        let pause = match round(node, &mut rereads).await {
            Ok(()) if node.storage_trouble().is_none() => node.timing.reconcile_every,
            Ok(()) => SOON.min(node.timing.reconcile_every),
            Err(error) => {
                tracing::warn!(%error, "comparing disk and catalogue did not finish; it will be tried again");
                SOON.min(node.timing.reconcile_every)
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn round(node: &Arc<Node>, rereads: &mut Rereads) -> Result<(), ReconcileError> {
    leftovers::sweep(node).await?;
    establish(node).await?;
    if node.storage_trouble().is_some() {
        // What cannot be seen is neither missing nor too much.
        return Ok(());
    }
    faults::judge_all(node, rereads).await?;
    let found = orphans::sweep(node).await?;
    let noted = async { workers::reconciled(&mut *node.pool.acquire().await?, &node.id, found).await };
    Ok(db::answered(noted).await?)
}
