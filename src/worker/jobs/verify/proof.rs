//! The proof: every dump of a snapshot is loaded into a throw-away server and compared with what was counted when it was
//! made. What is loaded is what the content's verification has just read.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    super::opened::Opened,
    mariadb, postgres,
    recorded::{Kind, Recorded},
};
use crate::{
    artifact::Keys,
    connectors::throwaway::Ground,
    domain::{error_code::ErrorCode, job::JobError, restore_proof::RestoreProof, snapshot::SnapshotKey},
    worker::{attempt::Attempt, node::Node},
};

/// For one dump to be loaded.
pub(super) const LOAD_TIME: Duration = Duration::from_secs(12 * 3600);

/// What an empty server takes on the disk, in bytes, with its logs.
const SERVER: u64 = 1 << 30;

/// Who proves, and for which job.
pub(super) struct Course<'a> {
    pub(super) node: &'a Node,
    pub(super) attempt: &'a Attempt,
}

/// Loads and compares every database in the snapshot.
pub(super) async fn prove(
    node: &Node,
    attempt: &Attempt,
    key: &SnapshotKey,
    keys: Arc<Keys>,
) -> Result<RestoreProof, JobError> {
    let began = Instant::now();
    let snapshot = Opened {
        storage: node.storage.clone(),
        key: key.clone(),
        keys,
    };
    let course = Course { node, attempt };
    let recorded = snapshot.recorded(attempt).await?;
    for dump in &recorded {
        // Known before anything is made.
        dump.tables()?;
    }
    let (of_mysql, of_postgres): (Vec<_>, Vec<_>) = recorded
        .into_iter()
        .partition(|dump| matches!(dump.record.of, Kind::Mysql { .. }));
    let mut databases = Vec::new();
    if !of_mysql.is_empty() {
        databases.extend(mariadb::prove(&course, &snapshot, &of_mysql).await?);
    }
    if !of_postgres.is_empty() {
        databases.extend(postgres::prove(&course, &snapshot, &of_postgres).await?);
    }
    Ok(RestoreProof {
        checked_at: node.clock.now(),
        duration_seconds: began.elapsed().as_secs(),
        databases,
    })
}

/// The outcome of loading a dump while it is read: whoever stopped first knows why.
pub(super) async fn together<T>(
    loading: impl Future<Output = Result<T, JobError>>,
    reading: impl Future<Output = Result<(), JobError>>,
) -> Result<T, JobError> {
    match tokio::join!(loading, reading) {
        (_, Err(error)) => Err(error),
        (loaded, Ok(())) => loaded,
    }
}

impl Course<'_> {
    /// Tells what is being done.
    pub(super) async fn phase(&self, phase: &str, message: &str) {
        self.attempt.phase(self.node, phase, message).await;
    }

    /// Tells what is being loaded.
    pub(super) async fn loading(&self, dump: &Recorded) {
        let message = format!("Loading the database {}", dump.name);
        self.phase("loading", &message).await;
    }

    /// Tells what is being counted.
    pub(super) async fn counting(&self, dump: &Recorded) {
        let message = format!("Counting the rows of the database {}", dump.name);
        self.phase("counting", &message).await;
    }

    /// What a server for these may have: data takes about what its dump has, and indexes as much again.
    pub(super) fn ground(&self, recorded: &[Recorded]) -> Ground {
        let bytes: u64 = recorded.iter().map(Recorded::bytes).fold(0, u64::saturating_add);
        Ground {
            tmp_dir: self.node.config.tmp_dir.clone(),
            expected: bytes.saturating_mul(2).saturating_add(SERVER),
            leave_free: self.node.config.min_free_bytes,
        }
    }

    /// For answers that our own server does not give.
    pub(super) fn nonsense(&self, what: &str) -> JobError {
        JobError::new(
            ErrorCode::Internal,
            format!("the server that the dump was loaded into does not say how many rows {what} has"),
            "See the worker's log and report it.",
        )
    }
}
