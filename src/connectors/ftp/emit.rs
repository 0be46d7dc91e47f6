//! Hands on what was found, in the order in which it was found.

use tokio::sync::mpsc;

use super::{
    error::FtpError,
    fetch::Part,
    listed::{Facts, Kind},
};
use crate::{
    connectors::CaptureSink,
    domain::{
        entry::{Captured, Entry, EntryKind, EntryPath, ProblemKind},
        error_code::ErrorCode,
        job::JobError,
    },
};

/// One thing to hand on.
#[derive(Debug)]
pub enum Slot {
    /// A directory or link.
    Entry(EntryPath, Facts),
    /// A file that is being fetched.
    File(EntryPath, Facts, mpsc::Receiver<Part>),
    /// Something that cannot be stored.
    Problem(ProblemKind, Vec<u8>, String),
}

/// Hands on every slot.
///
/// # Errors
/// What a worker met that ends the capture.
pub async fn run(mut slots: mpsc::Receiver<Slot>, sink: &CaptureSink) -> Result<(), FtpError> {
    while let Some(slot) = slots.recv().await {
        match slot {
            Slot::Problem(kind, path, message) => sink.problem(kind, &path, message).await?,
            Slot::Entry(path, facts) => {
                let kind = match &facts.kind {
                    Kind::Symlink(target) => EntryKind::Symlink {
                        target: target.clone().unwrap_or_default(),
                    },
                    _ => EntryKind::Directory,
                };
                sink.entry(entry(path, kind, &facts)).await?;
            }
            Slot::File(path, facts, parts) => file(path, facts, parts, sink).await?,
        }
    }
    Ok(())
}

async fn file(
    path: EntryPath,
    mut facts: Facts,
    mut parts: mpsc::Receiver<Part>,
    sink: &CaptureSink,
) -> Result<(), FtpError> {
    while let Some(part) = parts.recv().await {
        match part {
            Part::Begin { size, mtime } => {
                facts.mtime = mtime;
                let kind = EntryKind::File { size };
                sink.entry(entry(path.clone(), kind, &facts)).await?;
            }
            Part::Data(data) => sink.send(Captured::Data(data)).await?,
            Part::End(end) => return Ok(sink.end(end).await?),
            Part::Problem(kind, message) => {
                let absolute = [b"/", path.as_bytes()].concat();
                return Ok(sink.problem(kind, &absolute, message).await?);
            }
            Part::Failed(error) => return Err(error),
        }
    }
    Err(FtpError::Stopped(JobError::new(
        ErrorCode::Internal,
        format!("nobody fetches {path} any more"),
        "This is a fault in xVault; please report it.",
    )))
}

fn entry(path: EntryPath, kind: EntryKind, facts: &Facts) -> Entry {
    Entry {
        path,
        kind,
        mode: facts.mode_or_usual(),
        uid: facts.uid.unwrap_or(0),
        gid: facts.gid.unwrap_or(0),
        mtime: facts.mtime.unwrap_or_default(),
        pax: Vec::new(),
    }
}
