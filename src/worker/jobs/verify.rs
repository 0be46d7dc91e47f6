//! Reads a snapshot again from the first to the last byte and checks it.

use std::sync::Arc;

use super::{blocking, brief_lacks, key_unavailable, snapshot_key};

use crate::{
    artifact::{self, Expected, Keys, Stored},
    db::{jobs::Finished, snapshots},
    domain::{
        error_code::ErrorCode,
        job::{JobError, Warnings},
        snapshot::Snapshot,
    },
    worker::{
        attempt::Attempt,
        node::Node,
        on_disk::stored_state,
        outcome::{Effect, Outcome},
    },
};

/// Verifies the snapshot of this job.
pub async fn run(node: &Arc<Node>, attempt: &Arc<Attempt>) -> Result<Outcome, JobError> {
    let key = snapshot_key(attempt)?;
    let snapshot = catalogued(node, attempt).await?;
    let keys = file_keys(node, attempt, "Verifying").await?;
    attempt
        .phase(node, "verifying", "Reading every byte of the snapshot")
        .await;
    let expected = Expected {
        sha256: snapshot.new.sha256.clone(),
        manifest_sha256: snapshot.new.manifest_sha256.clone(),
    };
    let (storage, place) = (node.storage.clone(), key.clone());
    let (seen, state) = blocking(attempt, move |gauge| {
        let files = Stored {
            storage: storage.as_ref(),
            key: &place,
        };
        let seen = artifact::verify(&files, &keys, Some(&expected), gauge)?;
        Ok((seen, stored_state(storage.as_ref(), &place)?))
    })
    .await?;
    Ok(Outcome {
        end: Finished {
            partial: false,
            snapshot_id: None,
            result: serde_json::json!({
                "snapshot_id": key.snapshot_id,
                "files": seen.counts.entries(),
                "bytes_content": seen.bytes_content,
                "bytes_stored": seen.bytes_stored,
            }),
            warnings: Warnings::default(),
            progress: attempt.progress(),
            message: format!(
                "Snapshot {} is whole: {} entries, {} bytes of content, every one checked",
                key.snapshot_id,
                seen.counts.entries(),
                seen.bytes_content
            ),
        },
        effect: Effect::Verified(key.tenant_id, key.snapshot_id, state),
    })
}

/// The snapshot of the job as the catalogue has it.
pub(super) async fn catalogued(node: &Node, attempt: &Attempt) -> Result<Snapshot, JobError> {
    let key = snapshot_key(attempt)?;
    let found = async {
        let mut conn = node.pool.acquire().await?;
        snapshots::get(&mut conn, &key.tenant_id, &key.snapshot_id).await
    };
    match found.await {
        Ok(Some(snapshot)) => Ok(snapshot),
        Ok(None) => Err(JobError::new(
            ErrorCode::SnapshotMissing,
            format!("snapshot {} is not in the catalogue any more", key.snapshot_id),
            "Choose another snapshot",
        )),
        Err(error) => Err(JobError::new(
            ErrorCode::Internal,
            format!("the catalogue cannot be read: {error}"),
            "Check the database",
        )),
    }
}

/// The keys that open the snapshot of the job.
pub(super) async fn file_keys(node: &Node, attempt: &Attempt, what: &str) -> Result<Keys, JobError> {
    let brief = attempt.brief(node).await?;
    let keys = brief.file_keys.ok_or_else(|| key_unavailable(what))?;
    Keys::try_from(&keys).map_err(|_| brief_lacks("usable file keys"))
}
