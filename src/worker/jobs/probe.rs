//! Looks at a source without capturing it.

use std::sync::Arc;

use super::brief_lacks;
use crate::{
    connectors,
    db::jobs::Finished,
    domain::{
        error_code::ErrorCode,
        job::{JobError, Progress, Warnings},
    },
    worker::{
        attempt::Attempt,
        node::Node,
        outcome::{Effect, Outcome},
    },
};

/// Connects, asks, and makes the answer the job's result.
pub async fn run(node: &Arc<Node>, attempt: &Arc<Attempt>) -> Result<Outcome, JobError> {
    let source = attempt
        .brief(node)
        .await?
        .source
        .ok_or_else(|| brief_lacks("the source"))?;
    let message = format!("Connecting to {}", source.config.target().host);
    attempt.phase(node, "connecting", &message).await;
    let host = source.config.target().host.to_owned();
    let connector = connectors::open::open(source, node.connector_context())?;
    let found = connector.probe(attempt.cancel.clone()).await?;
    attempt.check()?;
    let result = serde_json::to_value(&found).map_err(|error| {
        JobError::new(
            ErrorCode::Internal,
            format!("what {host} answered cannot be shown: {error}"),
            "Report it",
        )
        .permanent()
    })?;
    Ok(Outcome {
        end: Finished {
            partial: false,
            snapshot_id: None,
            result,
            warnings: Warnings::default(),
            progress: Progress::default(),
            message: match found.authenticated {
                true => format!("Signed in to {host}"),
                false => format!("Asked {host} for its identity"),
            },
        },
        effect: Effect::Nothing,
    })
}
