//! Looking at a site without capturing it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{
    capture::{Found, NOT_CAPTURED},
    connector::WordpressSource,
    database::SiteDatabase,
    places::Places,
    remote::Remote,
    search::document_roots,
};
use crate::{
    connectors::{
        ProbeReport,
        open::ConnectorContext,
        ssh::{self, session::SshSession},
    },
    domain::{error_code::ErrorCode, job::JobError},
};

/// For the whole probe. Each step has a limit of its own; a hostile server could use up all of them.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Probes a site. What is wrong with the site is a result, not an error: with it come the sites that were found instead.
///
/// # Errors
/// If the server cannot be reached or refuses the credentials.
pub(super) async fn probe(
    source: &WordpressSource,
    ctx: &ConnectorContext,
    cancel: &CancellationToken,
) -> Result<ProbeReport, JobError> {
    let looking = tokio::time::timeout(TIMEOUT, look_around(source, ctx, cancel));
    looking.await.unwrap_or_else(|_| {
        let (host, seconds) = (&source.config.host, TIMEOUT.as_secs());
        Err(JobError::new(
            ErrorCode::ConnectFailed,
            format!("{host} did not answer everything within {seconds} s"),
            "The server or the network is very slow, or the server stalls on purpose.",
        ))
    })
}

async fn look_around(
    source: &WordpressSource,
    ctx: &ConnectorContext,
    cancel: &CancellationToken,
) -> Result<ProbeReport, JobError> {
    let mut report = ProbeReport::default();
    let ssh = source.ssh(vec![source.config.path.clone()]);
    let Some(session) = ssh::probe_session(&ssh, ctx, &mut report).await? else {
        return Ok(report);
    };
    report
        .cannot_capture
        .extend(NOT_CAPTURED.iter().map(|&sentence| sentence.to_owned()));
    if let Err(error) = look_at_site(source, ctx, session, &mut report, cancel).await {
        match error.code {
            ErrorCode::TransferInterrupted | ErrorCode::Cancelled | ErrorCode::Internal => return Err(error),
            _ => report.site_fault = Some(error),
        }
    }
    Ok(report)
}

async fn look_at_site(
    source: &WordpressSource,
    ctx: &ConnectorContext,
    session: SshSession,
    report: &mut ProbeReport,
    cancel: &CancellationToken,
) -> Result<(), JobError> {
    let looked = async {
        let remote = Remote::new(&session, cancel).await?;
        report.document_roots = document_roots(&remote).await?;
        Found::look(&session, source, cancel).await
    };
    let found = match looked.await {
        Ok(found) => found,
        Err(error) => {
            session.close().await;
            return Err(error);
        }
    };
    let Found {
        settings,
        wordpress,
        target,
    } = found;
    let database = SiteDatabase::open(source, &settings, target, ctx, session, cancel).await?;
    let mut facts = database.facts(&settings, wordpress);
    let (out_of_sight, grant) = database.owned.out_of_sight();
    report.cannot_capture.extend(out_of_sight);
    report.missing_grants.extend(grant);
    report.databases = vec![database.owned.probed()];
    let upload_path = database.options.upload_path.clone();
    if let Some(transport) = &mut report.transport {
        *transport = format!("{transport}+{}", facts.database_transport);
    }
    let Some(session) = database.into_session() else {
        return Ok(());
    };
    let placed = async {
        let remote = Remote::new(&session, cancel).await?;
        Places::find(&remote, &settings, &source.config.path, upload_path.as_deref()).await
    };
    let places = placed.await;
    session.close().await;
    facts.directories = places?.real;
    report.site = Some(facts);
    Ok(())
}
