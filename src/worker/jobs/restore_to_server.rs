//! Writes (parts of) a snapshot to a server: the artifact is read on a thread that may block, what it hands over goes
//! through a bounded channel to whoever writes. A dry run reads the index only and changes nothing.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{blocking, brief_lacks, key_unavailable, snapshot_key, verify::catalogued};
use crate::{
    artifact::{self, Gauge, Handed, Keys, Stored},
    connectors::{
        self,
        target::{FileTarget, Item, Order, restore},
    },
    db::jobs::Finished,
    domain::{
        entry::{Problem, ProblemKind},
        error_code::ErrorCode,
        job::{JobError, Warnings},
        server_restore::{RestoreAction, RestoreReport, ServerRestore},
        snapshot::SnapshotKey,
    },
    storage::Storage,
    worker::{
        attempt::Attempt,
        node::Node,
        outcome::{Effect, Outcome},
    },
};

/// Things handed over and not yet taken. With pieces of [`PIECE`] bytes this bounds the memory between the two.
const AHEAD: usize = 32;

/// Largest piece of content handed over, in bytes.
const PIECE: usize = 256 * 1024;

/// Restores what the job was told, where it was told.
pub async fn run(node: &Arc<Node>, attempt: &Arc<Attempt>, order: &ServerRestore) -> Result<Outcome, JobError> {
    let key = snapshot_key(attempt)?;
    catalogued(node, attempt).await?;
    let brief = attempt.brief(node).await?;
    let keys = brief.file_keys.ok_or_else(|| key_unavailable("Restoring"))?;
    let keys = Keys::try_from(&keys).map_err(|_| brief_lacks("usable file keys"))?;
    let target = brief.target.ok_or_else(|| brief_lacks("the source to write to"))?;
    let message = format!("Connecting to {}", target.config.target().host);
    attempt.phase(node, "connecting", &message).await;
    let target = connectors::open_target(target, &node.connector_context(), &attempt.cancel).await?;

    let message = match order.dry_run {
        true => format!("Comparing the snapshot with {}", target.place()),
        false => format!("Writing to {}", target.place()),
    };
    attempt.phase(node, "restoring", &message).await;
    let reading = Reading {
        storage: node.storage.clone(),
        key,
        keys,
        paths: order.paths.clone(),
        links: target.abilities().hard_links,
        dry_run: order.dry_run,
    };
    let restored = carry(attempt, &target, reading, order).await;
    target.close().await;
    judge(attempt, restored?)
}

/// Reading and writing side by side. When one fails the other ends, and the cause is what is reported, not its echo.
async fn carry(
    attempt: &Arc<Attempt>,
    target: &Arc<dyn FileTarget>,
    reading: Reading,
    order: &ServerRestore,
) -> Result<RestoreReport, JobError> {
    let (sender, items) = mpsc::channel(AHEAD);
    let how = Order {
        into: order.into.clone().unwrap_or_else(|| "/".to_owned()).into_bytes(),
        existing: order.existing,
        owners: order.owners,
        tag: attempt.job.id.to_string(),
        dry_run: order.dry_run,
    };
    let read = blocking(attempt, move |gauge| reading.hand_over(sender, gauge));
    let write = restore(Arc::clone(target), &how, items, &attempt.cancel);
    match tokio::join!(read, write) {
        (Ok(End::Read), Ok(report)) => Ok(report),
        // Nobody took what was read: the writer has the reason.
        (Ok(_), Err(error)) => Err(error),
        (Err(error), _) => Err(error),
        (Ok(End::NotTaken), Ok(_)) => Err(JobError::new(
            ErrorCode::Internal,
            "the restore ended before the snapshot did",
            "It is tried again by itself; if it fails again, report it.",
        )),
    }
}

/// How reading ended.
enum End {
    /// At the end of the snapshot.
    Read,
    /// Earlier, because nobody takes what is read.
    NotTaken,
}

/// What is read, and how it is opened.
struct Reading {
    storage: Arc<dyn Storage>,
    key: SnapshotKey,
    keys: Keys,
    paths: Vec<String>,
    links: bool,
    dry_run: bool,
}

impl Reading {
    fn hand_over(&self, items: mpsc::Sender<Item>, gauge: &Gauge) -> Result<End, JobError> {
        let files = Stored {
            storage: self.storage.as_ref(),
            key: &self.key,
        };
        let mut taken = true;
        let mut take = |handed: Handed<'_>| {
            taken = pass_on(&items, handed);
            match taken {
                true => Ok(()),
                false => Err(JobError::new(ErrorCode::Internal, "nobody takes what is read", "")),
            }
        };
        let done = match self.dry_run {
            true => artifact::hand_over_list(&files, &self.keys, &self.paths, gauge, &mut take),
            false => artifact::hand_over(&files, &self.keys, &self.paths, self.links, gauge, &mut take),
        };
        match (done, taken) {
            (_, false) => Ok(End::NotTaken),
            (Ok(()), true) => Ok(End::Read),
            (Err(error), true) => Err(error),
        }
    }
}

/// False if nobody takes it.
fn pass_on(items: &mpsc::Sender<Item>, handed: Handed<'_>) -> bool {
    match handed {
        Handed::Entry { entry, whole } => items.blocking_send(Item::Entry { entry, whole }).is_ok(),
        Handed::End => items.blocking_send(Item::End).is_ok(),
        Handed::Data(bytes) => bytes
            .chunks(PIECE)
            .all(|piece| items.blocking_send(Item::Data(Bytes::copy_from_slice(piece))).is_ok()),
    }
}

/// What a restore came to: nothing restored is a failure, something missing makes it partial.
fn judge(attempt: &Attempt, report: RestoreReport) -> Result<Outcome, JobError> {
    let missing = report.missing();
    let (written, same) = (report.written(), report.count(RestoreAction::Unchanged).entries);
    if !report.dry_run && written.entries + same == 0 && missing > 0 {
        return Err(nothing_restored(&report, missing));
    }
    let message = match report.dry_run {
        true => format!(
            "{} entries would be written to {}, {} bytes; {same} are there already, {missing} cannot be restored",
            written.entries, report.place, written.bytes
        ),
        false => format!(
            "{} entries were written to {}, {} bytes; {same} were there already, {missing} could not be restored",
            written.entries, report.place, written.bytes
        ),
    };
    let partial = !report.dry_run && missing > 0;
    let result = serde_json::to_value(&report).map_err(|error| {
        JobError::new(
            ErrorCode::Internal,
            format!("what the restore came to cannot be told: {error}"),
            "Report it",
        )
        .permanent()
    })?;
    Ok(Outcome {
        end: Finished {
            partial,
            snapshot_id: None,
            result,
            warnings: match partial {
                true => warnings(&report, missing),
                false => Warnings::default(),
            },
            progress: attempt.progress(),
            message,
        },
        effect: Effect::Nothing,
    })
}

fn warnings(report: &RestoreReport, missing: u64) -> Warnings {
    let lines = report.sample.iter().filter(|line| line.action.is_missing());
    let problem = |line: &crate::domain::server_restore::RestoreLine| Problem {
        kind: ProblemKind::NotWritten,
        path: line.path.clone(),
        message: line.why.clone().unwrap_or_else(|| "was not written".to_owned()),
    };
    Warnings {
        count: missing,
        sample: lines.map(problem).take(Warnings::SAMPLE).collect(),
    }
}

fn nothing_restored(report: &RestoreReport, missing: u64) -> JobError {
    let first = report.sample.iter().find(|line| line.action.is_missing());
    let first = first.map_or_else(String::new, |line| {
        format!(
            ", the first of them {}: {}",
            line.path,
            line.why.as_deref().unwrap_or("refused")
        )
    });
    let refused = report.count(RestoreAction::Refused).entries == missing;
    let (code, hint) = match refused {
        true => (
            ErrorCode::TargetDenied,
            "Give this one job a login that may write there, or choose another directory.",
        ),
        false => (
            ErrorCode::NothingRestored,
            "Choose another directory to restore into, or other paths.",
        ),
    };
    JobError::new(
        code,
        format!("nothing could be written to {}: {missing} entries{first}", report.place),
        hint,
    )
}
