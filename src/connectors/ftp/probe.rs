//! Looking at a source without capturing it: who it is, what it offers, what cannot be captured.

use std::time::Duration;

use super::{connection::Connection, dial::Dialer, error::FtpError, not_carried, roots};
use crate::{
    connectors::{HostKey, ProbeReport, ProbedPath, tls::Standing},
    domain::{error_code::ErrorCode, escaped::escape, job::JobError},
};

/// For the whole probe. Each step has a limit of its own; a hostile server could use up all of them.
const TIMEOUT: Duration = Duration::from_secs(180);

/// Probes a source. A certificate that nobody approved, or that changed, is a result, not an error: the user
/// needs its fingerprint.
///
/// # Errors
/// If the source cannot be reached or refuses the credentials.
pub async fn probe(dialer: &Dialer) -> Result<ProbeReport, JobError> {
    let looking = tokio::time::timeout(TIMEOUT, look_around(dialer));
    looking.await.unwrap_or_else(|_| {
        Err(JobError::new(
            ErrorCode::ConnectFailed,
            format!(
                "{} did not answer everything within {} s",
                dialer.place(),
                TIMEOUT.as_secs()
            ),
            "The server or the network is very slow, or the server stalls on purpose.",
        ))
    })
}

async fn look_around(dialer: &Dialer) -> Result<ProbeReport, JobError> {
    let source = dialer.source();
    let mut report = ProbeReport::default();
    let reached = dialer.reach().await;
    report.fingerprint_of = source.has_tls().then(|| "target".to_owned());
    if let Some(presented) = dialer.presented() {
        report.fingerprint = Some(presented.fingerprint.clone());
        report.host_keys = vec![HostKey {
            algorithm: "certificate".to_owned(),
            fingerprint: presented.fingerprint,
        }];
        report.identity_changed = presented.standing == Standing::Changed;
        if let Standing::Unknown(why) = presented.standing {
            report.certificate_fault = Some(why);
        }
    }
    let reached = match reached {
        Err(error) if matches!(error.code, ErrorCode::IdentityNotTrusted | ErrorCode::IdentityChanged) => {
            report.cannot_capture = not_carried::by_ftp(source, true);
            return Ok(report);
        }
        reached => reached?,
    };
    report.identity_approved = true;
    report.server = Some(reached.greeting.clone()).filter(|greeting| !greeting.is_empty());
    let mut connection = dialer.login(reached).await?;
    report.authenticated = true;
    let offered = offer(dialer, &mut connection, &mut report).await;
    connection.close().await;
    offered.map_err(|error| error.into_job_error(dialer.place()))?;
    Ok(report)
}

/// What a connection that is logged in offers.
async fn offer(dialer: &Dialer, connection: &mut Connection, report: &mut ProbeReport) -> Result<(), FtpError> {
    let source = dialer.source();
    let login_dir = roots::login_dir(connection).await?;
    for given in &source.config.paths {
        let found = roots::find(connection, source, given, &login_dir).await;
        let (resolved, status) = match found {
            Ok(found) => (Some(escape(&found.path)), "ok"),
            Err(FtpError::Stopped(error)) if error.code == ErrorCode::PathNotFound => (None, "not_found"),
            Err(FtpError::Stopped(error)) if error.code == ErrorCode::PermissionDenied => (None, "permission_denied"),
            Err(error) => return Err(error),
        };
        report.paths.push(ProbedPath {
            path: given.clone(),
            resolved,
            status: status.to_owned(),
        });
    }
    // The paths were listed, so what the server said of its listings has been tried.
    let mlsd = connection.features.mlsd;
    report.transport = Some(not_carried::transport(source, mlsd));
    report.cannot_capture = not_carried::by_ftp(source, mlsd);
    Ok(())
}
