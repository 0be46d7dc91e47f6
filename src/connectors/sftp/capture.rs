//! One capture over SFTP: resolve, walk, read, hand on.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{client::SftpClient, emit::Emit, error::SftpError, fetch, roots, walk::Walk};
use crate::{
    connectors::{CaptureSink, roots::Roots},
    domain::{entry::Captured, exclude::ExcludeSet, job::JobError},
};

/// Things found and not yet opened.
const FOUND_AHEAD: usize = 128;
/// Files open ahead of being read, and files asked for ahead of being handed on, at most.
const FILES_AHEAD: usize = 64;

/// What is to be read, and from whom.
#[derive(Debug)]
pub struct SftpSource<'a> {
    /// `host:port`, for messages.
    pub place: &'a str,
    /// Configured paths.
    pub includes: &'a [String],
    /// What to leave out.
    pub excludes: &'a ExcludeSet,
}

/// Captures a source over an SFTP conversation. May be dropped at any await.
///
/// # Errors
/// `path_not_found` and `permission_denied` for a configured path, before anything is sent;
/// `transfer_interrupted`, `protocol_error` and `source_limit` later.
pub async fn capture(client: SftpClient, source: &SftpSource<'_>, sink: &CaptureSink) -> Result<(), JobError> {
    run(Arc::new(client), source, sink)
        .await
        .map_err(|error| error.into_job_error(source.place))
}

async fn run(client: Arc<SftpClient>, source: &SftpSource<'_>, sink: &CaptureSink) -> Result<(), SftpError> {
    let login_dir = roots::login_dir(&client).await?;
    let mut resolved = Vec::with_capacity(source.includes.len());
    for include in source.includes {
        resolved.push(roots::resolve(&client, source.place, include, &login_dir).await?);
    }
    let roots = Roots::plan(&resolved, &login_dir, source.excludes).without_pseudo();
    for note in &roots.notes {
        sink.send(Captured::Problem(note.clone())).await?;
    }
    // Walk and resolution need a few handles of their own.
    let files_ahead = (client.limits().handles.saturating_sub(24) / 2).clamp(1, FILES_AHEAD);
    let (found_sender, found) = mpsc::channel(FOUND_AHEAD);
    let (opened_sender, opened) = mpsc::channel(files_ahead);
    let (pieces_sender, pieces) = mpsc::channel(files_ahead);
    let emit = Emit { client: &client, sink };
    tokio::try_join!(
        Walk::new(&client, &roots, source.excludes, found_sender).run(),
        fetch::open(&client, found, opened_sender),
        fetch::read(&client, opened, pieces_sender),
        emit.run(pieces),
    )?;
    Ok(())
}
