//! Reads a snapshot again from the first to the last byte and checks it.

use std::sync::Arc;

use super::{blocking, brief_lacks, snapshot_key};

use crate::{
    artifact::{self, Expected, Keys, Stored, VerifyReport},
    db::{self, jobs::Finished, snapshots},
    domain::{
        error_code::ErrorCode,
        job::{JobError, Warnings},
        snapshot::{Snapshot, SnapshotKey, SnapshotState, VerifyDepth},
    },
    worker::{
        attempt::Attempt,
        node::Node,
        outcome::{Effect, Outcome},
    },
};

/// Verifies the snapshot of this job: all of it, or the stored files' hashes where the tenant keeps the key.
pub async fn run(node: &Arc<Node>, attempt: &Arc<Attempt>) -> Result<Outcome, JobError> {
    let key = snapshot_key(attempt)?;
    let snapshot = catalogued(node, attempt).await?;
    let brief = attempt.brief(node).await?;
    let keys = brief.file_keys.as_ref().map(Keys::try_from).transpose();
    let keys = keys.map_err(|_| brief_lacks("usable file keys"))?;
    attempt
        .phase(node, "verifying", "Reading every byte of the snapshot")
        .await;
    let expected = Expected {
        sha256: snapshot.new.sha256,
        manifest_sha256: snapshot.new.manifest_sha256,
    };
    let (storage, place) = (node.storage.clone(), key.clone());
    let seen = blocking(attempt, move |gauge| {
        let files = Stored {
            storage: storage.as_ref(),
            key: &place,
        };
        let state = artifact::look(&files, Some(&expected))?.state;
        Ok(match keys {
            Some(keys) => {
                let report = artifact::verify(&files, &keys, Some(&expected), gauge)?;
                Seen::content(state, &report)
            }
            None => Seen::hashes(state, artifact::check_hashes(&files, Some(&expected), gauge)?),
        })
    })
    .await?;
    Ok(Outcome {
        end: Finished {
            partial: false,
            snapshot_id: None,
            result: seen.result(&key),
            warnings: Warnings::default(),
            progress: attempt.progress(),
            message: format!("Snapshot {} is whole: {}", key.snapshot_id, seen.words),
        },
        effect: Effect::Verified(key, seen.state, seen.depth),
    })
}

/// What a successful verification saw.
struct Seen {
    state: SnapshotState,
    depth: VerifyDepth,
    facts: serde_json::Value,
    words: String,
}

impl Seen {
    fn content(state: SnapshotState, report: &VerifyReport) -> Self {
        let (entries, bytes) = (report.counts.entries(), report.bytes_content);
        Self {
            state,
            depth: VerifyDepth::Content,
            facts: serde_json::json!({
                "files": entries,
                "bytes_content": bytes,
                "bytes_stored": report.bytes_stored,
            }),
            words: format!("{entries} entries, {bytes} bytes of content, every one checked"),
        }
    }

    fn hashes(state: SnapshotState, bytes: u64) -> Self {
        Self {
            state,
            depth: VerifyDepth::Hashes,
            facts: serde_json::json!({"bytes_stored": bytes}),
            words: format!(
                "{bytes} stored bytes have their hashes. What is inside was not looked at: xVault does not have \
                 the key"
            ),
        }
    }

    fn result(&self, key: &SnapshotKey) -> serde_json::Value {
        let mut result = self.facts.clone();
        result["snapshot_id"] = key.snapshot_id.as_str().into();
        result["depth"] = self.depth.as_str().into();
        result
    }
}

/// The snapshot of the job as the catalogue has it.
pub(super) async fn catalogued(node: &Node, attempt: &Attempt) -> Result<Snapshot, JobError> {
    let key = snapshot_key(attempt)?;
    let found = async {
        let mut conn = node.pool.acquire().await?;
        snapshots::get(&mut conn, &key.tenant_id, &key.snapshot_id).await
    };
    match db::answered(found).await {
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
