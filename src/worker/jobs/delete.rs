//! Removes a snapshot: first its files, then its row. Interrupted, it starts over and finds less to do.

use std::sync::Arc;

use super::{blocking, snapshot_key};
use crate::{
    db::jobs::Finished,
    domain::job::{JobError, Warnings},
    storage::Storage,
    worker::{
        attempt::Attempt,
        node::Node,
        outcome::{Effect, Outcome},
    },
};

/// Removes the snapshot of this job.
pub async fn run(node: &Arc<Node>, attempt: &Arc<Attempt>) -> Result<Outcome, JobError> {
    let key = snapshot_key(attempt)?;
    attempt
        .phase(node, "deleting", "Removing the files of the snapshot")
        .await;
    attempt.check()?;
    let (storage, gone) = (node.storage.clone(), key.clone());
    blocking(attempt, move |_| Ok(storage.delete(&gone)?)).await?;
    Ok(Outcome {
        end: Finished {
            partial: false,
            snapshot_id: None,
            result: serde_json::json!({"snapshot_id": key.snapshot_id}),
            warnings: Warnings::default(),
            progress: attempt.progress(),
            message: format!("Removed snapshot {}", key.snapshot_id),
        },
        effect: Effect::Removed(key.tenant_id, key.snapshot_id),
    })
}
