//! What a job that reached its goal wants written, and how to undo it when the report is refused.

use std::{sync::Arc, time::Duration};

use sqlx::PgConnection;

use super::node::Node;
use crate::{
    db::{DbError, exports, jobs::Finished, snapshots},
    domain::{
        export::NewExport,
        ids::{SnapshotId, TenantId},
        restore_proof::RestoreProof,
        snapshot::{NewSnapshot, SnapshotKey, SnapshotState, VerifyDepth},
    },
    storage::Storage,
};

/// A goal reached.
#[derive(Debug)]
pub struct Outcome {
    /// For the job.
    pub end: Finished,
    /// For the rest of the catalogue, in the same transaction.
    pub effect: Effect,
}

/// What changes besides the job.
#[derive(Debug)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// A snapshot was stored.
    Stored(Box<NewSnapshot>),
    /// An export was made.
    Exported(Box<NewExport>),
    /// A snapshot was read and found whole, as far as that was looked at; it is `complete` or `partial`. Its dumps were
    /// loaded, if there is a proof.
    Verified(SnapshotKey, SnapshotState, VerifyDepth, Option<Box<RestoreProof>>),
    /// The files of a snapshot were removed.
    Removed(TenantId, SnapshotId),
}

impl Effect {
    /// Writes it, in the transaction that ends the job.
    pub async fn write(&self, conn: &mut PgConnection, export_lifetime: Duration) -> Result<(), DbError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Stored(new) => snapshots::insert(conn, new).await,
            Self::Exported(new) => exports::insert(conn, new, export_lifetime).await.map(drop),
            Self::Verified(key, state, depth, proof) => {
                let verified = snapshots::Verified {
                    state: *state,
                    depth: *depth,
                    proof: proof.as_deref(),
                };
                let done = snapshots::set_verified(conn, &key.tenant_id, &key.snapshot_id, &verified);
                done.await.map(drop)
            }
            Self::Removed(tenant_id, id) => snapshots::delete(conn, tenant_id, id).await,
        }
    }

    /// True if the catalogue has it: our own earlier report went through although its answer was lost.
    pub async fn is_written(&self, conn: &mut PgConnection) -> Result<bool, DbError> {
        match self {
            Self::Stored(new) => snapshots::is_known(conn, &new.key).await,
            Self::Exported(new) => {
                let export = exports::on_worker(conn, &new.worker_id, &new.id).await?;
                Ok(export.is_some_and(|export| export.new.job_id == new.job_id && export.new.sha256 == new.sha256))
            }
            // Nothing of these would have to be undone.
            Self::Nothing | Self::Verified(..) | Self::Removed(..) => Ok(true),
        }
    }

    /// Removes what was stored for a report that was refused.
    pub async fn undo(self, node: &Arc<Node>) {
        match self {
            Self::Stored(new) => {
                let node = node.clone();
                let removed = tokio::task::spawn_blocking(move || node.storage.delete(&new.key)).await;
                match removed {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(%error, "could not remove what was stored; the next sweep will"),
                    Err(error) => tracing::error!(%error, "removing what was stored ended early"),
                }
            }
            Self::Exported(new) => {
                let path = node.export_path(&new.id);
                if let Err(error) = tokio::fs::remove_file(&path).await {
                    tracing::warn!(path = %path.display(), %error, "could not remove the export; the next sweep will");
                }
            }
            Self::Nothing | Self::Verified(..) | Self::Removed(..) => {}
        }
    }
}
