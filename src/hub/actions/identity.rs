//! Approving who a source is.

use serde::Deserialize;

use super::{ActionError, Actor, audit, source_views, sources::lock_present};
use crate::{
    db::{
        Page,
        jobs::{self, JobFilter},
        sources,
    },
    domain::{
        ids::SourceId,
        job::{JobKind, JobState},
        source::Proof,
        user::Role,
    },
    hub::{Hub, views::SourceView},
};

/// An identity to pin.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// `SHA256:…` as OpenSSH or openssl prints it and as the probe showed it.
    pub fingerprint: String,
    /// Whose it is. If absent: of the hop that presented it in the last probe, else of the target.
    #[serde(default)]
    pub hop: Option<Hop>,
}

/// A machine on the way to the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hop {
    /// The source itself.
    Target,
    /// The jump host.
    Jump,
}

/// Pins a host key or certificate; from now on no other one is accepted.
pub async fn approve(hub: &Hub, actor: &Actor, id: &SourceId, approval: Approval) -> Result<SourceView, ActionError> {
    actor.require(Role::Operator)?;
    let fingerprint = approval.fingerprint.trim();
    if !Proof::HostKey.is_fingerprint(fingerprint) && !Proof::Certificate.is_fingerprint(fingerprint) {
        return Err(ActionError::invalid(
            "/fingerprint",
            "must look like SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU for a host key, or SHA256:E3:B0:C4… \
             for a certificate, as a probe shows it",
        ));
    }
    let mut tx = hub.begin().await?;
    let source = lock_present(&mut tx, actor, id).await?;
    let hop = match approval.hop {
        Some(hop) => hop,
        None => presented_by(&mut tx, actor, id, fingerprint).await?,
    };
    let proof = match hop {
        Hop::Target => source.config.proof(),
        Hop::Jump => Proof::HostKey,
    };
    if !proof.is_fingerprint(fingerprint) {
        return Err(ActionError::invalid("/fingerprint", misplaced(proof)));
    }
    let mut identity = source.identity;
    match hop {
        Hop::Target => identity.target = Some(fingerprint.to_owned()),
        Hop::Jump if source.config.jump().is_some() => identity.jump = Some(fingerprint.to_owned()),
        Hop::Jump => return Err(ActionError::invalid("/hop", "this source has no jump host")),
    }
    let now = hub.clock.now();
    let source = sources::approve(&mut tx, &actor.tenant_id, id, &identity, &actor.user_id, now).await?;
    audit::record(&mut tx, actor, "source.identity.approve", Some(id.as_str())).await?;
    let view = source_views::one(&mut tx, actor, source).await?;
    hub.commit(tx).await?;
    Ok(view)
}

/// The hop that showed this fingerprint in the last probe.
async fn presented_by(
    conn: &mut sqlx::PgConnection,
    actor: &Actor,
    id: &SourceId,
    fingerprint: &str,
) -> Result<Hop, ActionError> {
    let filter = JobFilter {
        source_id: Some(id.clone()),
        kind: Some(JobKind::Probe),
        state: Some(JobState::Succeeded),
        ..JobFilter::default()
    };
    let last = jobs::list(conn, &actor.tenant_id, &filter, &Page::first(1)).await?;
    let report = last.first().and_then(|job| job.result.as_ref());
    let shown = |keys: &str| {
        let keys = report.and_then(|report| report[keys].as_array());
        keys.is_some_and(|keys| keys.iter().any(|key| key["fingerprint"] == fingerprint))
    };
    Ok(if shown("jump_host_keys") && !shown("host_keys") {
        Hop::Jump
    } else {
        Hop::Target
    })
}

/// Why a well-formed fingerprint is none of this machine's.
fn misplaced(proof: Proof) -> &'static str {
    match proof {
        Proof::HostKey => "is that of a certificate; this machine has an SSH host key",
        Proof::Certificate => "is that of an SSH host key; this machine has a certificate",
        Proof::Nothing => "cannot be approved: without TLS this source proves nothing",
    }
}
