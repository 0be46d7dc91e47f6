//! Looking at a source without capturing it: who it is, what it offers, what cannot be captured.

use std::time::Duration;

use super::{
    SshSource, not_carried, paths, remote_tar,
    session::{Dialer, FAMILIES, Hop, NotReached, Reached, SshSession, Trust, close_all},
};
use crate::{
    connectors::{HostKey, ProbeReport, open::ConnectorContext},
    domain::{error_code::ErrorCode, job::JobError},
};

/// For the whole probe. Each step has a limit of its own; a hostile server could use up all of them.
const TIMEOUT: Duration = Duration::from_secs(180);

/// What is known of one hop after looking at it.
struct Look {
    keys: Vec<HostKey>,
    server: Option<String>,
    /// The pinned fingerprint if the host has that key, else that of the key it prefers.
    fingerprint: Option<String>,
    approved: bool,
    changed: bool,
    reached: Option<Reached>,
}

/// Probes a source. One whose identity is not approved, or has changed, is a result, not an error:
/// the user needs the fingerprint.
///
/// # Errors
/// If the source cannot be reached or refuses the credentials.
pub(super) async fn probe(source: &SshSource, ctx: &ConnectorContext) -> Result<ProbeReport, JobError> {
    let looking = tokio::time::timeout(TIMEOUT, look_around(source, ctx));
    looking.await.unwrap_or_else(|_| {
        Err(JobError::new(
            ErrorCode::ConnectFailed,
            format!(
                "{} did not answer everything within {} s",
                source.config.host,
                TIMEOUT.as_secs()
            ),
            "The server or the network is very slow, or the server stalls on purpose.",
        ))
    })
}

async fn look_around(source: &SshSource, ctx: &ConnectorContext) -> Result<ProbeReport, JobError> {
    let mut report = ProbeReport::default();
    if let Some(session) = probe_session(source, ctx, &mut report).await? {
        session.close().await;
    }
    Ok(report)
}

/// Tells `report` who the source is and what it offers. Gives the session if it could be logged in to.
///
/// # Errors
/// If the source cannot be reached or refuses the credentials.
pub(in crate::connectors) async fn probe_session(
    source: &SshSource,
    ctx: &ConnectorContext,
    report: &mut ProbeReport,
) -> Result<Option<SshSession>, JobError> {
    let jump_hop = Hop::jump(source, ctx).await?;
    let target_hop = Hop::target(source, ctx).await?;
    let dialer = Dialer::new(ctx)?;
    report.cannot_capture = not_carried::by_account(&source.config.user);
    let mut jump_reached = None;
    let mut jump_approved = true;
    if let Some(hop) = &jump_hop {
        let look = look(&dialer, hop, None, source.identity.jump.as_deref()).await?;
        report.jump_host_keys = look.keys;
        report.identity_changed = look.changed;
        report.fingerprint = look.fingerprint;
        report.fingerprint_of = Some("jump".to_owned());
        jump_approved = look.approved;
        if look.reached.is_none() {
            return Ok(None);
        }
        jump_reached = look.reached;
    }
    let pin = source.identity.target.as_deref();
    let look = match look(&dialer, &target_hop, jump_reached.as_ref(), pin).await {
        Ok(look) => look,
        Err(error) => {
            close_all(jump_reached).await;
            return Err(error);
        }
    };
    report.host_keys = look.keys;
    report.server = look.server;
    report.identity_changed |= look.changed;
    report.identity_approved = look.approved && jump_approved;
    if jump_approved || !look.approved {
        report.fingerprint = look.fingerprint;
        report.fingerprint_of = Some("target".to_owned());
    }
    let Some(target) = look.reached else {
        close_all(jump_reached).await;
        return Ok(None);
    };
    report.authenticated = true;
    let session = SshSession::over(source.runs_commands, &target_hop, target, jump_reached);
    match offer(&session, &source.config.paths, report).await {
        Ok(()) => Ok(Some(session)),
        Err(error) => {
            session.close().await;
            Err(error)
        }
    }
}

/// Looks at the host that something else is reached over: its keys go into the report as the jump host's. Gives the
/// session if it is approved and could be logged in to.
///
/// # Errors
/// If the host cannot be reached or refuses the credentials.
pub(in crate::connectors) async fn probe_gate(
    source: &SshSource,
    ctx: &ConnectorContext,
    report: &mut ProbeReport,
) -> Result<Option<SshSession>, JobError> {
    let hop = Hop::target(source, ctx).await?;
    let look = look(&Dialer::new(ctx)?, &hop, None, source.identity.target.as_deref()).await?;
    report.jump_host_keys = look.keys;
    report.identity_changed = look.changed;
    report.fingerprint = look.fingerprint;
    report.fingerprint_of = Some("jump".to_owned());
    match look.reached {
        Some(reached) if look.approved => Ok(Some(SshSession::over(source.runs_commands, &hop, reached, None))),
        reached => {
            close_all(reached).await;
            Ok(None)
        }
    }
}

/// Asks a hop for its host keys, then logs in as far as `pin` and the credentials allow.
async fn look(dialer: &Dialer, hop: &Hop, jump: Option<&Reached>, pin: Option<&str>) -> Result<Look, JobError> {
    let mut look = Look {
        keys: Vec::new(),
        server: None,
        fingerprint: None,
        approved: false,
        changed: false,
        reached: None,
    };
    let [ed25519, ecdsa @ .., rsa] = FAMILIES else {
        return Ok(look);
    };
    for family in [ed25519.to_vec(), ecdsa.concat(), rsa.to_vec()] {
        match dialer.ask_host_key(hop, jump, &family).await {
            Ok(Some(presented)) => {
                look.keys.push(presented.key);
                look.server = presented.server;
            }
            Ok(None) => {}
            // Unreachable; or it has had enough of our questions, and one answer is enough for us.
            Err(error) if look.keys.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    let pinned = look.keys.iter().find(|key| Some(key.fingerprint.as_str()) == pin);
    look.fingerprint = pinned.or(look.keys.first()).map(|key| key.fingerprint.clone());
    let trust = match pin {
        None if hop.has_key() => Trust::Anyone,
        _ => Trust::pinned(pin),
    };
    if trust == Trust::Nobody {
        return Ok(look);
    }
    match dialer.dial(hop, jump, &trust).await {
        Ok(reached) => {
            look.approved = pin.is_some();
            look.server = reached.server().or(look.server);
            look.reached = Some(reached);
            Ok(look)
        }
        Err(NotReached::HostKey(_)) => {
            look.changed = true;
            Ok(look)
        }
        Err(other) => Err(other.into_error(hop, &trust)),
    }
}

/// What a logged-in session offers.
async fn offer(session: &SshSession, wanted: &[String], report: &mut ProbeReport) -> Result<(), JobError> {
    let tar = match session.has_shell().await? {
        true => remote_tar::detect(session).await?,
        false => None,
    };
    report.remote_tar = tar.as_ref().map(ToString::to_string);
    let (transport, lost) = match &tar {
        Some(tar) => ("ssh-tar", not_carried::by_tar(tar.flavour)),
        None => ("sftp", not_carried::by_sftp()),
    };
    report.transport = Some(transport.to_owned());
    report.cannot_capture.splice(0..0, lost);
    report.paths = match paths::over_sftp(session, wanted).await {
        Err(_) if tar.is_some() && !session.is_lost().await => paths::over_shell(session, wanted).await?,
        other => other?,
    };
    Ok(())
}
