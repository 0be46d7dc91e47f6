//! One capture over SSH: connect, choose the transport, read, and leave nothing running behind.

use tokio_util::sync::CancellationToken;

use super::{
    SshSource, not_carried,
    remote_tar::{self, RemoteTar},
    session::SshSession,
    tar_capture::{self, TarSource},
};
use crate::{
    connectors::{
        CaptureReport, CaptureSink,
        open::ConnectorContext,
        sftp::{self, SftpClient, SftpSource},
    },
    domain::{error_code::ErrorCode, exclude::ExcludeSet, job::JobError},
};

/// Captures a source. When `cancel` fires, the remote process is ended before this returns.
///
/// # Errors
/// Every way this can fail has its own code; see [`ErrorCode`].
pub(super) async fn capture(
    source: &SshSource,
    ctx: &ConnectorContext,
    sink: &CaptureSink,
    cancel: &CancellationToken,
) -> Result<CaptureReport, JobError> {
    let excludes = ExcludeSet::new(&source.config.exclude).map_err(|(_, invalid)| {
        JobError::new(
            ErrorCode::Internal,
            format!("an exclude pattern of the source {invalid}"),
            "Correct the source's exclude patterns.",
        )
        .permanent()
    })?;
    let connecting = cancel.run_until_cancelled(SshSession::connect(source, ctx));
    let session = connecting.await.ok_or_else(cancelled)??;
    let result = capture_over(&session, source, &excludes, sink, cancel).await;
    session.close().await;
    result
}

/// What a capture that was cancelled ends with.
pub(super) fn cancelled() -> JobError {
    JobError::new(ErrorCode::Cancelled, "the backup was cancelled", "")
}

/// Captures a source over a session that is there already; the rest is as with [`capture`].
///
/// # Errors
/// As [`capture`].
pub(in crate::connectors) async fn capture_over(
    session: &SshSession,
    source: &SshSource,
    excludes: &ExcludeSet,
    sink: &CaptureSink,
    cancel: &CancellationToken,
) -> Result<CaptureReport, JobError> {
    let choosing = cancel.run_until_cancelled(choose_tar(session));
    if let Some(tar) = choosing.await.ok_or_else(cancelled)?? {
        let tree = TarSource {
            session,
            tar: &tar,
            includes: &source.config.paths,
            exclude: &source.config.exclude,
            excludes,
        };
        return tar_capture::capture(&tree, sink, cancel).await;
    }
    let reading = cancel.run_until_cancelled(over_sftp(session, source, excludes, sink));
    reading.await.ok_or_else(cancelled)?
}

/// The source's tar, if it has a shell and a tar that we know.
async fn choose_tar(session: &SshSession) -> Result<Option<RemoteTar>, JobError> {
    match session.has_shell().await? {
        true => remote_tar::detect(session).await,
        false => Ok(None),
    }
}

async fn over_sftp(
    session: &SshSession,
    source: &SshSource,
    excludes: &ExcludeSet,
    sink: &CaptureSink,
) -> Result<CaptureReport, JobError> {
    let mut channel = session.sftp_subsystem().await?;
    let (Some(stdin), Some(stdout)) = (channel.stdin.take(), channel.stdout.take()) else {
        return Err(session.interruption());
    };
    let client = match SftpClient::start(stdout, stdin).await {
        Ok(client) => client,
        Err(_) if session.is_lost().await => return Err(session.interruption()),
        Err(_) => return Err(session.no_sftp()),
    };
    let tree = SftpSource {
        place: session.place(),
        includes: &source.config.paths,
        excludes,
    };
    sftp::capture(client, &tree, sink).await?;
    Ok(CaptureReport {
        transport: "sftp".into(),
        not_carried: not_carried::by_sftp(),
        site: None,
    })
}
