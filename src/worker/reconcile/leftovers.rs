//! What crashes and time leave behind: directories of dead connections, half-written snapshots, half-made exports
//! and exports nobody can fetch any more.

use std::{collections::HashSet, fs, io, path::Path, sync::Arc};

use super::ReconcileError;
use crate::{
    connectors::{private_dir::sweep_stale, throwaway},
    db::{self, exports},
    domain::ids::ExportId,
    worker::node::Node,
};

/// Makes the directories of a worker and removes what connections and throw-away servers of dead processes left in the one
/// for temporary things. Only those: it may be a directory shared with another worker, or `/tmp` itself.
pub fn prepare_directories(tmp_dir: &Path, exports_dir: &Path) -> io::Result<()> {
    for dir in [tmp_dir, exports_dir] {
        make_private(dir)?;
    }
    sweep_stale(tmp_dir)?;
    throwaway::sweep(tmp_dir).map(drop)
}

/// Readable by us alone.
fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Removes what no attempt of this process is using, also while the process lives on. What cannot be removed
/// is told and left for the next time.
pub async fn sweep(node: &Arc<Node>) -> Result<(), ReconcileError> {
    let owner = node.clone();
    tokio::task::spawn_blocking(move || {
        match sweep_stale(&owner.config.tmp_dir) {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed what dead connections left"),
            Err(error) => tracing::warn!(%error, "could not remove what dead connections left"),
        }
        match throwaway::sweep(&owner.config.tmp_dir) {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed throw-away servers of processes that were killed"),
            Err(error) => tracing::warn!(%error, "could not remove throw-away servers of processes that were killed"),
        }
        match owner.storage.sweep() {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed half-written snapshots of attempts that crashed"),
            Err(error) => tracing::warn!(%error, "could not empty the staging directory"),
        }
    })
    .await?;
    expired_exports(node).await
}

/// Removes files in the directory of exports whose link is dead, and half-made ones that no attempt
/// of ours is making.
async fn expired_exports(node: &Arc<Node>) -> Result<(), ReconcileError> {
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
    let listed = async { exports::available_on(&mut *node.pool.acquire().await?, &node.id).await };
    let available: HashSet<ExportId> = db::answered(listed).await?.into_iter().collect();
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
