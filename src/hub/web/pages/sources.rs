//! The list of sources, and removing one.

use askama::Template;

use super::{
    filters,
    flash::Flash,
    form::Query,
    id::Id,
    pager::{self, Pager},
    shell::{Section, Shell},
    source_rows::SourceRow,
    visit::{Answer, Post, Visit},
};
use crate::{
    domain::ids::SourceId,
    hub::actions::{self, ActionError},
};

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    shell: Shell,
    sources: Vec<SourceRow>,
    pager: Pager,
}

/// `GET /sources`
pub async fn list(visit: Visit, Query(query): Query) -> Answer {
    let asked = pager::asked_for(&query);
    let page = actions::sources::list(&visit.hub, &visit.actor, &asked).await?;
    let mut sources = Vec::with_capacity(page.items.len());
    for source in page.items {
        sources.push(SourceRow::load(&visit, source).await?);
    }
    visit.page(&SourcesPage {
        shell: visit.shell(Section::Sources),
        sources,
        pager: Pager::new("/sources", &[], &asked, page.next_cursor.as_deref()),
    })
}

/// `POST /sources/{id}/remove`
pub async fn remove(Id(id): Id<SourceId>, Post { visit, .. }: Post) -> Answer {
    match actions::sources::delete(&visit.hub, &visit.actor, &id).await {
        Ok(()) => visit.go_saying("/sources", Flash::SourceRemoved),
        Err(ActionError::ActiveBackup(job)) => visit.go_saying(&format!("/jobs/{job}"), Flash::AlreadyRunning),
        Err(other) => Err(other.into()),
    }
}
