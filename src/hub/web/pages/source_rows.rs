//! How well a source is protected, for lists and for its own page.

use super::{error::PageError, source_kinds::address, visit::Visit};
use crate::{
    db::{jobs::JobFilter, snapshots::SnapshotFilter},
    domain::{
        ids::JobId,
        job::{JobKind, JobState},
        source::Proof,
    },
    hub::{
        actions::{ListQuery, jobs, snapshots},
        views::{SnapshotView, SourceView},
    },
};

/// Backups a row looks back.
const HISTORY: i64 = 10;

/// A source and its last backups.
pub struct SourceRow {
    /// The source.
    pub source: SourceView,
    /// The newest snapshot that can be restored.
    pub last_good: Option<SnapshotView>,
    /// The last backup that ended.
    pub last_ended: Option<JobId>,
    /// Outcomes of the last backups that ended, oldest first.
    outcomes: Vec<JobState>,
}

impl SourceRow {
    /// Looks up what became of a source's last backups.
    pub async fn load(visit: &Visit, source: SourceView) -> Result<Self, PageError> {
        let (hub, actor) = (&visit.hub, &visit.actor);
        let query = JobFilter {
            source_id: Some(source.id.clone()),
            kind: Some(JobKind::Backup),
            ..JobFilter::default()
        };
        let backups = jobs::list(hub, actor, &query, &ListQuery::first(HISTORY)).await?.items;
        let query = SnapshotFilter {
            source_id: Some(source.id.clone()),
            ..SnapshotFilter::default()
        };
        let stored = snapshots::list(hub, actor, &query, &ListQuery::first(HISTORY))
            .await?
            .items;
        let counts = |state: JobState| state.is_final() && state != JobState::Cancelled;
        let ended: Vec<_> = backups.iter().filter(|job| counts(job.state)).collect();
        Ok(Self {
            last_ended: ended.first().map(|job| job.id.clone()),
            outcomes: ended.iter().rev().map(|job| job.state).collect(),
            last_good: stored.into_iter().find(is_restorable),
            source,
        })
    }

    /// In one word, for the badge.
    pub fn standing(&self) -> &'static str {
        if self.source.deleted_at.is_some() {
            return "removed";
        }
        match self.outcomes.last() {
            Some(JobState::Failed) => "failing",
            _ if !is_approved(&self.source) => "unapproved",
            Some(JobState::Partial) if self.last_good.is_some() => "incomplete",
            _ if self.last_good.is_some() => "protected",
            _ => "unprotected",
        }
    }

    /// Where it is.
    pub fn address(&self) -> String {
        address(&self.source.config)
    }

    /// Outcomes of the last backups, oldest first.
    pub fn history(&self) -> &[JobState] {
        &self.outcomes
    }
}

/// True if nothing on the way to the source is known to need an approval. Whether a certificate does, a probe
/// tells: an authority may speak for it.
pub fn is_approved(source: &SourceView) -> bool {
    let pinned = &source.identity.pinned;
    (pinned.target.is_some() || source.config.proof() != Proof::HostKey)
        && (source.config.jump().is_none() || pinned.jump.is_some())
}

/// True if the snapshot can be restored, as far as is known.
pub fn is_restorable(snapshot: &SnapshotView) -> bool {
    use crate::domain::snapshot::SnapshotState::{Complete, Partial};
    matches!(snapshot.state, Complete | Partial)
}
