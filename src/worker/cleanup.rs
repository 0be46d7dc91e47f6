//! What crashes and time leave behind: temporary files, exports nobody can fetch any more, snapshots
//! the catalogue never heard of, and rows whose files are gone.

use std::{collections::HashSet, fs, io, path::Path, sync::Arc};

use super::{node::Node, on_disk};
use crate::{
    connectors::ssh::session::sweep_stale_sessions,
    db::{DbError, exports, jobs, snapshots},
    domain::{
        ids::{ExportId, JobId, SnapshotId},
        snapshot::{ArtifactFile, SnapshotKey, SnapshotState},
    },
    storage::{Storage, StorageError},
};

/// Rows of the catalogue compared at a time.
const BATCH: i64 = 500;

/// Why cleaning up did not finish; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum CleanupError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A thread.
    #[error("cleaning up ended early: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

impl From<sqlx::Error> for CleanupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Makes the directories of a worker and removes what sessions of dead processes left in the one for
/// temporary things. Only those: it may be a directory shared with another worker, or `/tmp` itself.
pub fn prepare_directories(tmp_dir: &Path, exports_dir: &Path) -> io::Result<()> {
    for dir in [tmp_dir, exports_dir] {
        make_private(dir)?;
    }
    sweep_stale_sessions(tmp_dir).map(drop)
}

/// Readable by us alone.
fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Compares disk and catalogue now and then until the future is dropped.
pub async fn keep_clean(node: &Arc<Node>) {
    loop {
        if let Err(error) = exports_and_snapshots(node).await {
            tracing::warn!(%error, "cleaning up did not finish; it will be tried again");
        }
        tokio::time::sleep(node.timing.cleanup_every).await;
    }
}

async fn exports_and_snapshots(node: &Arc<Node>) -> Result<(), CleanupError> {
    expired_exports(node).await?;
    missing_snapshots(node).await?;
    abandoned_snapshots(node).await
}

/// Removes files in the directory of exports whose link is dead, and half-made ones that no attempt
/// of ours is making.
async fn expired_exports(node: &Arc<Node>) -> Result<(), CleanupError> {
    // The files first, then the rows: an export finished in between has its row, or its attempt runs.
    let dir = node.exports_dir();
    let names: Vec<String> = tokio::task::spawn_blocking(move || {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    })
    .await?;
    let being_made: HashSet<String> = node
        .running()
        .iter()
        .filter_map(|attempt| attempt.export_id())
        .collect();
    let mut conn = node.pool.acquire().await?;
    let available: HashSet<ExportId> = exports::available_on(&mut conn, &node.id).await?.into_iter().collect();
    drop(conn);
    for name in names {
        // `exp_…` is finished, `.exp_….{lease}` is being made.
        let id = name.trim_start_matches('.').split('.').next().unwrap_or_default();
        let alive = match id.parse::<ExportId>() {
            Ok(export) => being_made.contains(id) || (!name.starts_with('.') && available.contains(&export)),
            Err(_) => true,
        };
        if !alive {
            tracing::info!(export = name, "removing an export nobody can fetch any more");
            if let Err(error) = tokio::fs::remove_file(node.exports_dir().join(&name)).await {
                tracing::warn!(export = name, %error, "could not remove it");
            }
        }
    }
    Ok(())
}

/// Marks snapshots whose files are gone as `missing`, and back when they are there again.
async fn missing_snapshots(node: &Arc<Node>) -> Result<(), CleanupError> {
    let mut after: Option<SnapshotId> = None;
    loop {
        let mut conn = node.pool.acquire().await?;
        let batch = snapshots::on_worker(&mut conn, &node.id, after.as_ref(), BATCH).await?;
        let Some((last, _)) = batch.last() else {
            return Ok(());
        };
        after = Some(last.snapshot_id.clone());
        let storage = node.storage.clone();
        let changes = tokio::task::spawn_blocking(move || {
            let changed = |(key, state)| Some((changed_state(storage.as_ref(), &key, state)?, key));
            batch.into_iter().filter_map(changed).collect::<Vec<_>>()
        })
        .await?;
        for (state, key) in changes {
            tracing::warn!(snapshot = %key.snapshot_id, %state, "the files of a snapshot are not as catalogued");
            snapshots::set_state(&mut conn, &key.tenant_id, &key.snapshot_id, state).await?;
        }
    }
}

fn changed_state(storage: &dyn Storage, key: &SnapshotKey, state: SnapshotState) -> Option<SnapshotState> {
    let there = match storage.head(key, ArtifactFile::Backup) {
        Ok(_) => true,
        Err(StorageError::NotFound { .. }) => false,
        // The disk has trouble: no reason to say that the snapshot is gone.
        Err(_) => return None,
    };
    match (state, there) {
        (SnapshotState::Complete | SnapshotState::Partial | SnapshotState::Damaged, false) => {
            Some(SnapshotState::Missing)
        }
        (SnapshotState::Missing, true) => on_disk::stored_state(storage, key).ok(),
        _ => None,
    }
}

/// Removes snapshots on disk that the catalogue does not know although it knows their job: left by an
/// attempt that could not report. A snapshot whose job is unknown too is kept, because then it is the
/// catalogue that lacks something (it may be an older copy).
async fn abandoned_snapshots(node: &Arc<Node>) -> Result<(), CleanupError> {
    let storage = node.storage.clone();
    let (found, mut keys) = tokio::sync::mpsc::channel::<(SnapshotKey, JobId)>(64);
    let listing = tokio::task::spawn_blocking(move || -> Result<(), StorageError> {
        for key in storage.list()? {
            let key = key?;
            if let Ok(job_id) = on_disk::made_by(storage.as_ref(), &key)
                && found.blocking_send((key, job_id)).is_err()
            {
                break;
            }
        }
        Ok(())
    });
    while let Some((key, job_id)) = keys.recv().await {
        // Asked first: an attempt that reports in between is then still on the list.
        if node.is_storing(&key) {
            continue;
        }
        let mut conn = node.pool.acquire().await?;
        if snapshots::is_known(&mut conn, &key).await? {
            continue;
        }
        if jobs::get(&mut conn, &key.tenant_id, &job_id).await?.is_none() {
            tracing::warn!(snapshot = %key.snapshot_id, "on disk, but neither it nor its job is in the catalogue; keeping it");
            continue;
        }
        tracing::info!(snapshot = %key.snapshot_id, "removing what an attempt stored but could not report");
        let storage = node.storage.clone();
        tokio::task::spawn_blocking(move || storage.delete(&key)).await??;
    }
    Ok(listing.await??)
}
