//! The list of jobs.

use askama::Template;

use super::{
    filters,
    form::{Form, Query},
    live,
    pager::{self, Pager},
    shell::{Section, Shell},
    visit::{Answer, Visit},
};
use crate::{
    db::jobs::JobFilter,
    domain::{
        ids::SourceId,
        job::{JobKind, JobState},
    },
    hub::{actions::jobs, views::JobView},
};

/// What the list is narrowed to. A filter that means nothing is no filter.
struct Filter {
    source_id: Option<SourceId>,
    kind: Option<JobKind>,
    state: Option<JobState>,
}

impl Filter {
    fn of(query: &Form) -> Self {
        Self {
            source_id: query.text("source_id").parse().ok(),
            kind: query.text("kind").parse().ok(),
            state: query.text("state").parse().ok(),
        }
    }

    fn is_set(&self) -> bool {
        self.source_id.is_some() || self.kind.is_some() || self.state.is_some()
    }

    fn is_kind(&self, kind: &JobKind) -> bool {
        self.kind == Some(*kind)
    }

    fn is_state(&self, state: &JobState) -> bool {
        self.state == Some(*state)
    }

    fn kinds(&self) -> &'static [JobKind] {
        JobKind::ALL
    }

    fn states(&self) -> &'static [JobState] {
        JobState::ALL
    }

    fn pager(&self, asked: &crate::hub::actions::ListQuery, next: Option<&str>) -> Pager {
        let keep = [
            ("source_id", self.source_id.as_ref().map_or("", |id| id.as_str())),
            ("kind", self.kind.map_or("", JobKind::as_str)),
            ("state", self.state.map_or("", JobState::as_str)),
        ];
        Pager::new("/jobs", &keep, asked, next)
    }
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    shell: Shell,
    live: String,
    filter: Filter,
    jobs: Vec<JobView>,
    pager: Pager,
}

/// `GET /jobs`
pub async fn list(visit: Visit, Query(query): Query) -> Answer {
    let (filter, asked) = (Filter::of(&query), pager::asked_for(&query));
    let wanted = JobFilter {
        source_id: filter.source_id.clone(),
        kind: filter.kind,
        state: filter.state,
        ..JobFilter::default()
    };
    let page = jobs::list(&visit.hub, &visit.actor, &wanted, &asked).await?;
    visit.page(&JobsPage {
        shell: visit.shell(Section::Jobs),
        live: live::address(page.items.iter().filter(|job| !job.state.is_final())),
        pager: filter.pager(&asked, page.next_cursor.as_deref()),
        filter,
        jobs: page.items,
    })
}
