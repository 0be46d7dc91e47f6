//! Files to a server: the artifact is read on a thread that may block, what it hands over goes
//! through a bounded channel to whoever writes. A dry run reads the index only and changes nothing.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::super::{blocking, opened::Opened};
use crate::{
    artifact::{self, Gauge, Handed},
    connectors::{
        self,
        target::{FileTarget, Item, Order, restore},
    },
    domain::{
        brief::SourceBrief,
        error_code::ErrorCode,
        job::JobError,
        server_restore::{RestoreReport, ServerRestore},
    },
    worker::{attempt::Attempt, node::Node},
};

/// Things handed over and not yet taken. With pieces of [`PIECE`] bytes this bounds the memory between the two.
const AHEAD: usize = 32;

/// Largest piece of content handed over, in bytes.
const PIECE: usize = 256 * 1024;

/// Restores what the job was told, where it was told.
pub(super) async fn run(
    node: &Arc<Node>,
    attempt: &Arc<Attempt>,
    order: &ServerRestore,
    snapshot: Opened,
    target: SourceBrief,
) -> Result<RestoreReport, JobError> {
    let target = connectors::open_target(target, &node.connector_context(), &attempt.cancel).await?;
    let message = match order.dry_run {
        true => format!("Comparing the snapshot with {}", target.place()),
        false => format!("Writing to {}", target.place()),
    };
    attempt.phase(node, "restoring", &message).await;
    let reading = Reading {
        snapshot,
        paths: order.paths.clone(),
        links: target.abilities().hard_links,
        dry_run: order.dry_run,
    };
    let restored = carry(attempt, &target, reading, order).await;
    target.close().await;
    restored
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
    snapshot: Opened,
    paths: Vec<String>,
    links: bool,
    dry_run: bool,
}

impl Reading {
    fn hand_over(&self, items: mpsc::Sender<Item>, gauge: &Gauge) -> Result<End, JobError> {
        let (files, keys) = (self.snapshot.files(), &self.snapshot.keys);
        let mut taken = true;
        let mut take = |handed: Handed<'_>| {
            taken = pass_on(&items, handed);
            match taken {
                true => Ok(()),
                false => Err(JobError::new(ErrorCode::Internal, "nobody takes what is read", "")),
            }
        };
        let done = match self.dry_run {
            true => artifact::hand_over_list(&files, keys, &self.paths, gauge, &mut take),
            false => artifact::hand_over(&files, keys, &self.paths, self.links, gauge, &mut take),
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
