//! The workers, for the platform's administrator.

use askama::Template;

use super::{
    filters,
    shell::{Section, Shell},
    visit::{Answer, Visit},
};
use crate::hub::{
    actions::{ListQuery, workers},
    views::WorkerView,
};

#[derive(Template)]
#[template(path = "workers.html")]
struct WorkersPage {
    shell: Shell,
    workers: Vec<WorkerView>,
    retired: Vec<WorkerView>,
}

/// `GET /workers`
pub async fn list(visit: Visit) -> Answer {
    let page = workers::list(&visit.hub, &visit.actor, &ListQuery::first(200)).await?;
    let (retired, workers) = page.items.into_iter().partition(|worker| worker.retired_at.is_some());
    visit.page(&WorkersPage {
        shell: visit.shell(Section::Workers),
        workers,
        retired,
    })
}
