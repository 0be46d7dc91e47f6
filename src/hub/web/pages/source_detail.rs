//! One source: what its last probe found, what to approve, and what ran.

use askama::Template;

use super::{
    filters,
    flash::Flash,
    found::{Found, FoundKey},
    id::Id,
    live,
    shell::{Section, Shell},
    source_kinds::{self, Fact, address, facts},
    source_rows::{SourceRow, is_approved},
    visit::{Answer, Post, Visit},
};
use crate::{
    db::{jobs::JobFilter, snapshots::SnapshotFilter},
    domain::{
        ids::SourceId,
        job::{JobKind, JobState},
        source::{Machine, Proof, SourceKind},
    },
    hub::{
        actions::{
            ActionError, ListQuery,
            identity::{self, Hop},
            jobs, snapshots, sources,
        },
        views::{JobView, SnapshotView, SourceView},
    },
};

/// Jobs and snapshots shown here; the lists show all.
const SHOWN: i64 = 8;

/// An identity that waits for a yes.
struct ToApprove {
    hop: &'static str,
    host: String,
    port: u16,
    /// As OpenSSH's known_hosts names it.
    known_as: String,
    algorithm: String,
    fingerprint: String,
    /// Another one was approved before.
    changed: bool,
    /// With a jump host there are two to approve.
    step: Option<u8>,
    /// For a certificate: what openssl calls the protocol that TLS begins in.
    starttls: Option<&'static str>,
    /// For a certificate: why it does not speak for itself.
    fault: Option<String>,
}

impl ToApprove {
    /// The first hop on the way whose key the probe showed and nobody approved yet.
    fn of(source: &SourceView, found: &Found) -> Option<Self> {
        let (config, pinned) = (&source.config, &source.identity.pinned);
        // An authority speaks for the certificate; or there is nothing to approve.
        let speaks = config.proof() == Proof::Certificate && found.identity_approved && pinned.target.is_none();
        if speaks || config.proof() == Proof::Nothing {
            return None;
        }
        let via = config.jump();
        let jump = via.and_then(|jump| {
            let (keys, step) = (&found.jump_host_keys, Some(1));
            Self::of_hop("jump", jump, keys, found, pinned.jump.as_deref(), step)
        });
        jump.or_else(|| {
            let (keys, step) = (&found.host_keys, via.map(|_| 2));
            let target = Self::of_hop("target", config.target(), keys, found, pinned.target.as_deref(), step)?;
            Some(Self {
                starttls: (config.proof() == Proof::Certificate).then(|| source_kinds::starttls(source.kind)),
                fault: found.certificate_fault.clone(),
                ..target
            })
        })
    }

    fn of_hop(
        hop: &'static str,
        Machine { host, port }: Machine<'_>,
        keys: &[FoundKey],
        found: &Found,
        pinned: Option<&str>,
        step: Option<u8>,
    ) -> Option<Self> {
        if keys.iter().any(|key| Some(key.fingerprint.as_str()) == pinned) {
            return None;
        }
        // The one the probe used, if it was this hop's; else the one the hop prefers.
        let used = keys
            .iter()
            .find(|key| Some(&key.fingerprint) == found.fingerprint.as_ref());
        let key = used.or(keys.first())?;
        Some(Self {
            hop,
            host: host.to_owned(),
            port,
            known_as: match port {
                22 => host.to_owned(),
                port => format!("[{host}]:{port}"),
            },
            algorithm: key.algorithm.clone(),
            fingerprint: key.fingerprint.clone(),
            changed: pinned.is_some(),
            step,
            starttls: None,
            fault: None,
        })
    }

    fn title(&self, kind: SourceKind) -> String {
        match (self.changed, self.hop) {
            (true, _) => "The identity changed".to_owned(),
            (false, "jump") => format!("Is this your {}?", source_kinds::between(kind)),
            (false, _) => "Is this your server?".to_owned(),
        }
    }

    /// `host:port`, IPv6 in brackets.
    fn host_and_port(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Where OpenSSH keeps the public half on the host.
    fn key_file(&self) -> &'static str {
        match self.algorithm.as_str() {
            "ssh-rsa" | "rsa-sha2-256" | "rsa-sha2-512" => "ssh_host_rsa_key.pub",
            algorithm if algorithm.starts_with("ecdsa-") => "ssh_host_ecdsa_key.pub",
            _ => "ssh_host_ed25519_key.pub",
        }
    }
}

#[derive(Template)]
#[template(path = "source.html")]
struct SourcePage {
    shell: Shell,
    live: String,
    address: String,
    facts: Vec<Fact>,
    source: SourceView,
    standing: &'static str,
    /// The last probe, in whatever state.
    probe: Option<JobView>,
    checking: bool,
    failed_probe: Option<JobView>,
    report: Option<Found>,
    approval: Option<ToApprove>,
    authenticated: bool,
    ready: bool,
    backup: Option<JobView>,
    last_failure: Option<JobView>,
    snapshots: Vec<SnapshotView>,
    jobs: Vec<JobView>,
}

/// `GET /sources/{id}`
pub async fn show(Id(id): Id<SourceId>, visit: Visit) -> Answer {
    let (hub, actor) = (&visit.hub, &visit.actor);
    let source = sources::get(hub, actor, &id).await?;
    let probe = last(&visit, &id, JobKind::Probe).await?;
    let last_backup = last(&visit, &id, JobKind::Backup).await?;
    let query = JobFilter {
        source_id: Some(id.clone()),
        ..JobFilter::default()
    };
    let jobs = jobs::list(hub, actor, &query, &ListQuery::first(SHOWN)).await?.items;
    let of_source = SnapshotFilter {
        source_id: Some(id.clone()),
        ..SnapshotFilter::default()
    };
    let snapshots = snapshots::list(hub, actor, &of_source, &ListQuery::first(SHOWN))
        .await?
        .items;

    let row = SourceRow::load(&visit, source).await?;
    let standing = row.standing();
    let source = row.source;
    let is_active = |job: &JobView| !job.state.is_final();
    let checking = probe.as_ref().is_some_and(is_active);
    let report = probe.as_ref().and_then(report_of);
    let approval = report
        .as_ref()
        .filter(|_| !checking)
        .and_then(|report| ToApprove::of(&source, report));
    let watched = probe.iter().chain(&last_backup).filter(|job| is_active(job));
    visit.page(&SourcePage {
        shell: visit.shell(Section::Sources),
        live: live::address(watched),
        address: address(&source.config),
        facts: facts(&source.config),
        standing,
        checking,
        failed_probe: probe.clone().filter(|job| job.state == JobState::Failed),
        authenticated: report.as_ref().is_some_and(|report| report.authenticated),
        ready: is_approved(&source) && approval.is_none() && source.deleted_at.is_none(),
        approval,
        report,
        probe,
        backup: last_backup.clone().filter(is_active),
        last_failure: last_backup.filter(|job| job.state == JobState::Failed),
        snapshots,
        jobs,
        source,
    })
}

pub(super) async fn last(visit: &Visit, id: &SourceId, kind: JobKind) -> Result<Option<JobView>, ActionError> {
    let query = JobFilter {
        source_id: Some(id.clone()),
        kind: Some(kind),
        ..JobFilter::default()
    };
    let page = jobs::list(&visit.hub, &visit.actor, &query, &ListQuery::first(1)).await?;
    Ok(page.items.into_iter().next())
}

pub(super) fn report_of(probe: &JobView) -> Option<Found> {
    let result = probe.result.clone().filter(|_| probe.state.is_final())?;
    serde_json::from_value(result).ok()
}

/// `POST /sources/{id}/probe`
pub async fn probe(Id(id): Id<SourceId>, Post { visit, .. }: Post) -> Answer {
    jobs::order_probe(&visit.hub, &visit.actor, &id).await?;
    visit.go(&format!("/sources/{id}"))
}

/// `POST /sources/{id}/backups`
pub async fn back_up(Id(id): Id<SourceId>, Post { visit, .. }: Post) -> Answer {
    match jobs::order_backup(&visit.hub, &visit.actor, &id).await {
        Ok(job) => visit.go(&format!("/jobs/{}", job.id)),
        Err(ActionError::ActiveBackup(job)) => visit.go_saying(&format!("/jobs/{job}"), Flash::AlreadyRunning),
        Err(other) => Err(other.into()),
    }
}

/// `POST /sources/{id}/identity`: pins it, and looks again where the last probe could not sign in yet.
pub async fn approve(Id(id): Id<SourceId>, Post { visit, form }: Post) -> Answer {
    let approval = identity::Approval {
        fingerprint: form.text("fingerprint").to_owned(),
        hop: Some(if form.text("hop") == "jump" {
            Hop::Jump
        } else {
            Hop::Target
        }),
    };
    let source = identity::approve(&visit.hub, &visit.actor, &id, approval).await?;
    let report = last(&visit, &id, JobKind::Probe).await?.as_ref().and_then(report_of);
    let signed_in = report.is_some_and(|report| report.authenticated);
    let page = format!("/sources/{id}");
    if signed_in && is_approved(&source) {
        return visit.go_saying(&page, Flash::Ready);
    }
    jobs::order_probe(&visit.hub, &visit.actor, &id).await?;
    visit.go_saying(&page, Flash::Approved)
}
