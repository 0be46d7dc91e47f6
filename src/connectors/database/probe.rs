//! Looking at a server without dumping it: who it is, what it has, which rights are missing.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{DatabaseSource, Reach, Server};
use crate::{
    connectors::{HostKey, ProbeReport, open::ConnectorContext, ssh, tls::Standing},
    domain::{error_code::ErrorCode, job::JobError, source::DatabaseTls},
};

/// For the whole probe. Each step has a limit of its own; a hostile server could use up all of them.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Most statements listed; a server may have very many databases.
const MAX_GRANTS: usize = 50;

/// Probes a source. An identity that is not approved, or has changed, is a result, not an error: the user needs
/// the fingerprint.
///
/// # Errors
/// If the server or the SSH host cannot be reached or refuses the credentials.
pub(super) async fn probe<S: Server>(
    source: &DatabaseSource,
    ctx: &ConnectorContext,
    cancel: &CancellationToken,
) -> Result<ProbeReport, JobError> {
    let looking = tokio::time::timeout(TIMEOUT, look_around::<S>(source, ctx, cancel));
    looking.await.unwrap_or_else(|_| {
        let (host, seconds) = (&source.config.host, TIMEOUT.as_secs());
        Err(JobError::new(
            ErrorCode::ConnectFailed,
            format!("{host} did not answer everything within {seconds} s"),
            "The server or the network is very slow, or the server stalls on purpose.",
        ))
    })
}

async fn look_around<S: Server>(
    source: &DatabaseSource,
    ctx: &ConnectorContext,
    cancel: &CancellationToken,
) -> Result<ProbeReport, JobError> {
    let mut report = ProbeReport::default();
    let session = match source.ssh() {
        None => None,
        Some(ssh) => match ssh::probe_gate(&ssh, ctx, &mut report).await? {
            // The database's password does not go through a host that nobody approved.
            None => return Ok(report),
            reached => reached,
        },
    };
    let server = S::open(source, ctx, session, cancel).await?;
    let looked = server.look(&source.config.databases, &mut report, cancel).await;
    report.missing_grants.truncate(MAX_GRANTS);
    identify(server.reach(), source, &mut report);
    server.into_reach().close().await;
    match looked {
        Ok(()) => {
            report.authenticated = true;
            Ok(report)
        }
        Err(error) if matches!(error.code, ErrorCode::IdentityNotTrusted | ErrorCode::IdentityChanged) => Ok(report),
        Err(error) => Err(error),
    }
}

/// What is known of the server's identity after talking to it.
fn identify(reach: &Reach, source: &DatabaseSource, report: &mut ProbeReport) {
    let gate_approved = report.fingerprint_of.is_none() || source.identity.jump.is_some();
    if source.config.tls() == DatabaseTls::None {
        report.identity_approved = gate_approved;
        return;
    }
    let Some(presented) = reach.presented() else { return };
    let trusted = matches!(presented.standing, Standing::Approved | Standing::Issued);
    report.identity_approved = trusted && gate_approved;
    report.identity_changed |= presented.standing == Standing::Changed;
    if let Standing::Unknown(why) = presented.standing {
        report.certificate_fault = Some(why);
    }
    report.fingerprint = Some(presented.fingerprint.clone());
    report.fingerprint_of = Some("target".into());
    report.host_keys = vec![HostKey {
        algorithm: "certificate".into(),
        fingerprint: presented.fingerprint,
    }];
}
