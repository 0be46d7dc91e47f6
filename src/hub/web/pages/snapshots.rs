//! Snapshots: the list, one of them, and what can be done with it.

use askama::Template;

use super::{
    filters,
    flash::Flash,
    form::Query,
    id::Id,
    job_detail::site_of,
    pager::{self, Pager},
    shell::{Section, Shell},
    source_rows::is_restorable,
    visit::{Answer, Post, Visit},
};
use crate::{
    db::snapshots::SnapshotFilter,
    domain::{
        dump::{Dump, DumpFile},
        ids::{SnapshotId, SourceId},
        site::Site,
        snapshot::{Locator, SnapshotState, VerifyDepth},
    },
    hub::{
        actions::{ActionError, jobs, snapshots, sources},
        views::SnapshotView,
    },
};

#[derive(Template)]
#[template(path = "snapshots.html")]
struct SnapshotsPage {
    shell: Shell,
    of_source: Option<String>,
    snapshots: Vec<SnapshotView>,
    pager: Pager,
}

/// `GET /snapshots`
pub async fn list(visit: Visit, Query(query): Query) -> Answer {
    let (hub, actor) = (&visit.hub, &visit.actor);
    let source_id = query.text("source_id").parse::<SourceId>().ok();
    let of_source = match &source_id {
        Some(id) => Some(sources::get(hub, actor, id).await?.name),
        None => None,
    };
    let asked = pager::asked_for(&query);
    let keep = [("source_id", query.text("source_id"))];
    let wanted = SnapshotFilter {
        source_id,
        ..SnapshotFilter::default()
    };
    let page = snapshots::list(hub, actor, &wanted, &asked).await?;
    visit.page(&SnapshotsPage {
        shell: visit.shell(Section::Snapshots),
        of_source,
        pager: Pager::new("/snapshots", &keep, &asked, page.next_cursor.as_deref()),
        snapshots: page.items,
    })
}

#[derive(Template)]
#[template(path = "snapshot.html")]
struct SnapshotPage {
    shell: Shell,
    restorable: bool,
    verdict: Option<(&'static str, &'static str)>,
    dumps: Vec<DumpRow>,
    /// Of a WordPress site: what it is, and of which moments.
    site: Option<Site>,
    snapshot: SnapshotView,
}

/// A dump by what it is of.
struct DumpRow {
    name: String,
    file: DumpFile,
}

impl DumpRow {
    fn new(file: &DumpFile) -> Self {
        let name = match Dump::at(&file.path) {
            Some(Dump::MySql(database) | Dump::Postgres(database)) => database,
            Some(Dump::PostgresGlobals) => "Roles and tablespaces".to_owned(),
            None => file.path.clone(),
        };
        Self {
            name,
            file: file.clone(),
        }
    }
}

/// `GET /snapshots/{id}`
pub async fn show(Id(id): Id<SnapshotId>, visit: Visit) -> Answer {
    let snapshot = snapshots::get(&visit.hub, &visit.actor, &id).await?;
    // What is special to a kind of source stands in the result of the job that made the snapshot.
    let site = match jobs::get(&visit.hub, &visit.actor, &snapshot.job_id).await {
        Ok(job) => site_of(&job),
        Err(ActionError::NotFound(_)) => None,
        Err(other) => return Err(other.into()),
    };
    visit.page(&SnapshotPage {
        shell: visit.shell(Section::Snapshots),
        restorable: is_restorable(&snapshot),
        verdict: verdict(snapshot.state),
        dumps: snapshot.dumps.iter().map(DumpRow::new).collect(),
        site,
        snapshot,
    })
}

/// Tone and sentence for a snapshot that is not simply whole.
fn verdict(state: SnapshotState) -> Option<(&'static str, &'static str)> {
    match state {
        SnapshotState::Complete => None,
        SnapshotState::Partial => Some((
            "warn",
            "Something could not be read when this was taken. What is missing is listed below.",
        )),
        SnapshotState::Damaged => Some((
            "bad",
            "What is stored is not what it should be. Restore from another snapshot, and back up again.",
        )),
        SnapshotState::Missing => Some((
            "bad",
            "The stored files are not where they should be. Restore from another snapshot, and back up again.",
        )),
        SnapshotState::Deleting => Some(("bad", "The stored files are being removed.")),
    }
}

/// `POST /snapshots/{id}/pin`
pub async fn pin(Id(id): Id<SnapshotId>, Post { visit, form }: Post) -> Answer {
    let pinned = form.text("pinned") == "true";
    snapshots::set_pinned(&visit.hub, &visit.actor, &id, pinned).await?;
    visit.go_saying(
        &format!("/snapshots/{id}"),
        if pinned { Flash::Pinned } else { Flash::Unpinned },
    )
}

/// `POST /snapshots/{id}/verify`
pub async fn verify(Id(id): Id<SnapshotId>, Post { visit, form }: Post) -> Answer {
    let level = form.text("level").parse().unwrap_or_default();
    let job = snapshots::order_verify(&visit.hub, &visit.actor, &id, level).await?;
    visit.go(&format!("/jobs/{}", job.id))
}

/// `POST /snapshots/{id}/delete`
pub async fn delete(Id(id): Id<SnapshotId>, Post { visit, .. }: Post) -> Answer {
    let job = snapshots::order_delete(&visit.hub, &visit.actor, &id).await?;
    visit.go(&format!("/jobs/{}", job.id))
}
