//! Captures a source into a new snapshot: connector → channel → artifact writer → storage, in one
//! stream. Memory is bounded by the channel and the writer, not by the size of the source.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{brief_lacks, joined};
use crate::{
    artifact::{ArtifactWriter, CaptureFacts, WriterOptions, Written},
    connectors::{self, CaptureReport, CaptureSink, Connector},
    db::jobs::Finished,
    domain::{
        entry::Captured,
        error_code::ErrorCode,
        ids::SnapshotId,
        job::{JobError, Progress},
        snapshot::{SnapshotKey, SnapshotState},
    },
    storage::Storage,
    worker::{
        attempt::Attempt,
        node::Node,
        outcome::{Effect, Outcome},
    },
};

/// Compressing threads per backup.
const THREADS: usize = 2;

/// Backs the source up. Whatever fails, the writer is dropped and nothing is left in the storage.
pub async fn run(node: &Arc<Node>, attempt: &Arc<Attempt>) -> Result<Outcome, JobError> {
    capture(node, attempt).await.map_err(|error| match error.code {
        // A place to write to that is gone is a fault of the disk, which may pass; no snapshot was lost.
        ErrorCode::SnapshotMissing => JobError::new(
            ErrorCode::StorageFailed,
            error.message,
            "Check that the worker's storage directory is mounted; the job is tried again by itself",
        ),
        _ => error,
    })
}

async fn capture(node: &Arc<Node>, attempt: &Arc<Attempt>) -> Result<Outcome, JobError> {
    let brief = attempt.brief(node).await?;
    let source = brief.source.ok_or_else(|| brief_lacks("the source"))?;
    if brief.recipients.is_empty() {
        return Err(brief_lacks("a recipient to encrypt to"));
    }
    let (kind, host) = (source.config.kind(), source.config.target().host.to_owned());
    let message = format!("Connecting to {host}");
    attempt.phase(node, "connecting", &message).await;
    let connector = connectors::open::open(source, node.connector_context())?;
    let writer = begin(node, attempt, brief.recipients).await?;

    let (writer, report) = stream(node, attempt, connector.as_ref(), writer, &host).await?;
    attempt.check()?;
    attempt
        .phase(
            node,
            "finishing",
            "Writing index and manifest, making everything durable",
        )
        .await;
    let facts = CaptureFacts {
        transport: report.transport.clone(),
        not_carried: report.not_carried.clone(),
        kind,
    };
    let written = joined(tokio::task::spawn_blocking(move || writer.finish(facts)).await)?;
    Ok(outcome(written, report))
}

/// Opens a stage for the new snapshot and an artifact in it.
async fn begin(node: &Arc<Node>, attempt: &Arc<Attempt>, recipients: Vec<String>) -> Result<ArtifactWriter, JobError> {
    let key = SnapshotKey {
        tenant_id: attempt.job.tenant_id.clone(),
        source_id: attempt.job.source_id.clone(),
        snapshot_id: SnapshotId::generate(),
    };
    attempt.will_store(&key);
    let options = WriterOptions {
        threads: THREADS,
        created_at: node.clock.now(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let (storage, job_id) = (node.storage.clone(), attempt.job.id.clone());
    let writer = joined(
        tokio::task::spawn_blocking(move || {
            let stage = storage.stage(&key)?;
            ArtifactWriter::new(stage, key, job_id, &recipients, options)
        })
        .await,
    )?;
    attempt.watch(writer.gauge());
    Ok(writer)
}

/// Runs capture and packing side by side; the writer comes back complete but not finished. When one
/// side fails the other is ended, and the cause is what is reported, not its echo.
async fn stream(
    node: &Arc<Node>,
    attempt: &Arc<Attempt>,
    connector: &dyn Connector,
    writer: ArtifactWriter,
    host: &str,
) -> Result<(ArtifactWriter, CaptureReport), JobError> {
    let (sink, items) = CaptureSink::channel();
    let (first, began) = oneshot::channel();
    let ending = attempt.cancel.child_token();
    let packing = {
        let (ending, span) = (ending.clone(), tracing::Span::current());
        tokio::task::spawn_blocking(move || span.in_scope(|| pack(writer, items, first, &ending)))
    };
    let announce = async {
        if began.await.is_ok() {
            let message = format!("Transferring from {host}");
            attempt.phase(node, "transferring", &message).await;
        }
    };
    let (captured, packed, ()) = tokio::join!(connector.capture(sink, ending), packing, announce);
    let packed = joined(packed);
    match (captured, packed) {
        (Ok(report), Ok(writer)) => Ok((writer, report)),
        // The packer's error ends the capture, whose own error is only its echo.
        (_, Err(error)) => Err(error),
        (Err(error), Ok(_)) => Err(error),
    }
}

fn pack(
    mut writer: ArtifactWriter,
    mut items: mpsc::Receiver<Captured>,
    first: oneshot::Sender<()>,
    ending: &CancellationToken,
) -> Result<ArtifactWriter, JobError> {
    let mut first = Some(first);
    while let Some(item) = items.blocking_recv() {
        if let Some(first) = first.take() {
            // Nobody listens if the attempt is ending.
            let _ = first.send(());
        }
        if let Err(error) = writer.push(item) {
            ending.cancel();
            return Err(error);
        }
    }
    Ok(writer)
}

fn outcome(written: Written, report: CaptureReport) -> Outcome {
    let new = written.snapshot;
    let partial = new.state == SnapshotState::Partial;
    let message = match (partial, new.warnings.count) {
        (true, _) => format!(
            "Stored {} entries, {} bytes, but not everything could be read; see the warnings",
            new.files, new.bytes_source
        ),
        (false, 0) => format!("Stored {} entries, {} bytes", new.files, new.bytes_source),
        (false, n) => format!(
            "Stored {} entries, {} bytes, with {n} warnings",
            new.files, new.bytes_source
        ),
    };
    let mut result = serde_json::json!({
        "snapshot_id": new.key.snapshot_id,
        "transport": report.transport,
        "not_carried": report.not_carried,
        "bytes_source": new.bytes_source,
        "bytes_stored": new.bytes_stored,
        "counts": written.counts,
        "sha256": new.sha256,
    });
    if let Some(site) = report.site {
        result["site"] = serde_json::json!(site);
    }
    Outcome {
        end: Finished {
            partial,
            snapshot_id: Some(new.key.snapshot_id.clone()),
            result,
            warnings: new.warnings.clone(),
            progress: Progress {
                bytes: new.bytes_source,
                files: new.files,
                total_bytes: Some(new.bytes_source),
            },
            message,
        },
        effect: Effect::Stored(Box::new(new)),
    }
}
