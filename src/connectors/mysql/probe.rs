//! Looking at a server without dumping it: who it is, what it has, which rights are missing.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{MysqlSource, access::Access, capture::NOT_CAPTURED, server};
use crate::{
    connectors::{
        HostKey, ProbeReport, ProbedDatabase,
        open::ConnectorContext,
        ssh::{self, SshSource},
        tls::Standing,
    },
    domain::{
        error_code::ErrorCode,
        job::JobError,
        source::{DatabaseTls, Databases},
    },
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
pub(super) async fn probe(
    source: &MysqlSource,
    ssh: Option<SshSource>,
    ctx: &ConnectorContext,
    cancel: &CancellationToken,
) -> Result<ProbeReport, JobError> {
    let looking = tokio::time::timeout(TIMEOUT, look_around(source, ssh, ctx, cancel));
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
    source: &MysqlSource,
    ssh: Option<SshSource>,
    ctx: &ConnectorContext,
    cancel: &CancellationToken,
) -> Result<ProbeReport, JobError> {
    let mut report = ProbeReport::default();
    let session = match &ssh {
        None => None,
        Some(ssh) => match ssh::probe_gate(ssh, ctx, &mut report).await? {
            // The database's password does not go through a host that nobody approved.
            None => return Ok(report),
            reached => reached,
        },
    };
    let access = Access::open(source, ctx, session, cancel).await?;
    let asked = ask(&access, source, &mut report, cancel).await;
    identify(&access, source, &mut report);
    access.close().await;
    match asked {
        Ok(()) => {
            report.authenticated = true;
            Ok(report)
        }
        Err(error) if matches!(error.code, ErrorCode::IdentityNotTrusted | ErrorCode::IdentityChanged) => Ok(report),
        Err(error) => Err(error),
    }
}

async fn ask(
    access: &Access,
    source: &MysqlSource,
    report: &mut ProbeReport,
    cancel: &CancellationToken,
) -> Result<(), JobError> {
    let server = server::look(access, cancel).await?;
    let databases = server::databases(access, cancel).await?;
    let is_wanted = |name: &str| match &source.config.databases {
        Databases::All => true,
        Databases::Named(names) => names.iter().any(|wanted| wanted == name),
    };
    report.missing_grants = server.missing_grants(databases.iter().map(|d| d.name.as_str()).filter(|n| is_wanted(n)));
    if let Databases::Named(names) = &source.config.databases {
        // What cannot be seen may be there all the same, without a right on it.
        let unseen = names.iter().filter(|name| databases.iter().all(|d| d.name != **name));
        let unseen: Vec<_> = unseen.map(String::as_str).collect();
        report.missing_databases = unseen.iter().map(|&name| name.to_owned()).collect();
        report.missing_grants.extend(server.missing_grants(unseen.into_iter()));
        report.missing_grants.dedup();
    }
    report.missing_grants.truncate(MAX_GRANTS);
    report.server = Some(format!("{} {}", server.flavour.name(), server.version));
    report.transport = Some(access.transport().into());
    report.cannot_capture = NOT_CAPTURED.iter().map(|&text| text.to_owned()).collect();
    report.databases = databases
        .into_iter()
        .map(|database| ProbedDatabase {
            chosen: is_wanted(&database.name),
            name: database.name,
            bytes: database.bytes,
            tables: database.tables,
        })
        .collect();
    Ok(())
}

/// What is known of the server's identity after talking to it.
fn identify(access: &Access, source: &MysqlSource, report: &mut ProbeReport) {
    let gate_approved = report.fingerprint_of.is_none() || source.identity.jump.is_some();
    if source.config.tls() == DatabaseTls::None {
        report.identity_approved = gate_approved;
        return;
    }
    let Some(presented) = access.presented() else { return };
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
