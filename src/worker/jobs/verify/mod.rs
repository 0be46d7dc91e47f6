//! Reads a snapshot again from the first to the last byte and checks it; if that is wanted, loads its dumps into a server
//! and counts.

mod compare;
mod dumps;
mod mariadb;
mod postgres;
mod proof;
mod recorded;

use std::sync::Arc;

use super::{blocking, brief_lacks, key_unavailable, snapshot_key};

use crate::{
    artifact::{self, Expected, Keys, Stored, VerifyReport},
    db::{self, jobs::Finished, snapshots},
    domain::{
        error_code::ErrorCode,
        job::{JobError, VerifyLevel, Warnings},
        restore_proof::RestoreProof,
        snapshot::{Snapshot, SnapshotKey, SnapshotState, VerifyDepth},
    },
    worker::{
        attempt::Attempt,
        node::Node,
        outcome::{Effect, Outcome},
    },
};

/// Verifies the snapshot of this job: all of it, or the stored files' hashes where the tenant keeps the key. At the level
/// `restore`, its dumps are loaded then.
pub async fn run(node: &Arc<Node>, attempt: &Arc<Attempt>, level: VerifyLevel) -> Result<Outcome, JobError> {
    let key = snapshot_key(attempt)?;
    let snapshot = catalogued(node, attempt).await?;
    let brief = attempt.brief(node).await?;
    let keys = brief.file_keys.as_ref().map(Keys::try_from).transpose();
    let keys = keys.map_err(|_| brief_lacks("usable file keys"))?.map(Arc::new);
    if level == VerifyLevel::Restore && keys.is_none() {
        return Err(key_unavailable("Loading a dump to check it"));
    }
    attempt
        .phase(node, "verifying", "Reading every byte of the snapshot")
        .await;
    let expected = Expected {
        sha256: snapshot.new.sha256,
        manifest_sha256: snapshot.new.manifest_sha256,
    };
    let (storage, place, opened) = (node.storage.clone(), key.clone(), keys.clone());
    let seen = blocking(attempt, move |gauge| {
        let files = Stored {
            storage: storage.as_ref(),
            key: &place,
        };
        let state = artifact::look(&files, Some(&expected))?.state;
        Ok(match opened {
            Some(keys) => {
                let report = artifact::verify(&files, &keys, Some(&expected), gauge)?;
                Seen::content(state, &report)
            }
            None => Seen::hashes(state, artifact::check_hashes(&files, Some(&expected), gauge)?),
        })
    })
    .await?;
    let proof = match (level, keys) {
        (VerifyLevel::Restore, Some(keys)) => Some(proof::prove(node, attempt, &key, keys).await?),
        _ => None,
    };
    Ok(Outcome {
        end: Finished {
            partial: false,
            snapshot_id: None,
            result: seen.result(&key, proof.as_ref()),
            warnings: Warnings::default(),
            progress: attempt.progress(),
            message: match &proof {
                None => format!("Snapshot {} is whole: {}", key.snapshot_id, seen.words),
                Some(proof) => proven(proof),
            },
        },
        effect: Effect::Verified(key, seen.state, seen.depth, proof.map(Box::new)),
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

    fn result(&self, key: &SnapshotKey, proof: Option<&RestoreProof>) -> serde_json::Value {
        let mut result = self.facts.clone();
        result["snapshot_id"] = key.snapshot_id.as_str().into();
        result["depth"] = self.depth.as_str().into();
        if let Some(proof) = proof {
            result["restore_proof"] = serde_json::json!(proof);
        }
        result
    }
}

fn proven(proof: &RestoreProof) -> String {
    let (databases, seconds) = (proof.databases.len(), proof.duration_seconds);
    let rows: u64 = proof.databases.iter().map(|database| database.rows).sum();
    let tables: u64 = proof.databases.iter().map(|database| database.tables).sum();
    format!(
        "Restored and checked in {seconds} s: {databases} databases, {tables} tables, {rows} rows, all as they were dumped"
    )
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
