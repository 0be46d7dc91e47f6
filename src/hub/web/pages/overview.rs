//! What is protected, at a glance.

use askama::Template;

use super::{
    error::PageError,
    filters,
    growth::Growth,
    live,
    shell::{Section, Shell},
    source_rows::SourceRow,
    visit::{Answer, Visit},
};
use crate::{
    db::{jobs::JobFilter, snapshots::SnapshotFilter},
    domain::job::{JobKind, JobState},
    hub::{
        actions::{ListQuery, jobs, snapshots, sources},
        views::JobView,
    },
};

/// Sources shown; their own list has all.
const SOURCES: i64 = 50;

/// Jobs shown in each state.
const JOBS: i64 = 10;

/// Snapshots the picture is drawn from.
const DRAWN: i64 = 200;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    shell: Shell,
    live: String,
    recovery_due: bool,
    sources: Vec<SourceRow>,
    more_sources: bool,
    protected: usize,
    attention: usize,
    stored_bytes: u64,
    running: Vec<JobView>,
    failures: Vec<JobView>,
    growth: Option<Growth>,
}

/// `GET /`
pub async fn show(visit: Visit) -> Answer {
    let (hub, actor) = (&visit.hub, &visit.actor);
    let page = sources::list(hub, actor, &ListQuery::first(SOURCES)).await?;
    let more_sources = page.next_cursor.is_some();
    let mut rows = Vec::with_capacity(page.items.len());
    for source in page.items {
        rows.push(SourceRow::load(&visit, source).await?);
    }
    let mut running = in_state(&visit, JobState::Running, None).await?;
    running.extend(in_state(&visit, JobState::Queued, None).await?);
    let standing = |wanted: &[&str]| rows.iter().filter(|row| wanted.contains(&row.standing())).count();

    let stored_bytes = u64::try_from(snapshots::totals(hub, actor, None).await?.bytes_stored).unwrap_or_default();
    let newest = snapshots::list(hub, actor, &SnapshotFilter::default(), &ListQuery::first(DRAWN)).await?;
    visit.page(&OverviewPage {
        shell: visit.shell(Section::Overview),
        live: live::address(&running),
        recovery_due: visit.me.tenant.recovery_sheet_at.is_none() && visit.shell(Section::Overview).is_owner(),
        more_sources,
        protected: standing(&["protected", "incomplete"]),
        attention: standing(&["failing", "incomplete", "unapproved"]),
        stored_bytes,
        failures: unresolved(&visit, &rows).await?,
        growth: Growth::draw(&newest.items, stored_bytes, hub.clock.now()),
        running,
        sources: rows,
    })
}

async fn in_state(visit: &Visit, state: JobState, kind: Option<JobKind>) -> Result<Vec<JobView>, PageError> {
    let filter = JobFilter {
        state: Some(state),
        kind,
        ..JobFilter::default()
    };
    Ok(jobs::list(&visit.hub, &visit.actor, &filter, &ListQuery::first(JOBS))
        .await?
        .items)
}

/// Failed and partial backups that no later one has made good, newest first.
async fn unresolved(visit: &Visit, rows: &[SourceRow]) -> Result<Vec<JobView>, PageError> {
    let mut bad = in_state(visit, JobState::Failed, Some(JobKind::Backup)).await?;
    bad.extend(in_state(visit, JobState::Partial, Some(JobKind::Backup)).await?);
    bad.retain(|job| rows.iter().any(|row| row.last_ended.as_ref() == Some(&job.id)));
    bad.sort_by(|a, b| b.id.cmp(&a.id));
    Ok(bad)
}
