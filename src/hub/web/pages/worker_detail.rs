//! One worker: what it does, what depends on it, and the forms that drain and retire it.

use askama::Template;
use chrono::{DateTime, Utc};

use super::{
    error::sentence,
    filters,
    flash::Flash,
    id::Id,
    shell::{Section, Shell},
    visit::{Answer, Post, Visit},
};
use crate::{
    domain::{ids::WorkerId, worker::WorkerState},
    hub::{
        actions::{ActionError, retirement, workers},
        views::{HeldView, RunningJobView, WaitingJobsView, WorkerDetailView, WorkerView},
    },
};

#[derive(Template)]
#[template(path = "worker.html")]
struct WorkerPage {
    shell: Shell,
    worker: WorkerView,
    url: String,
    online: bool,
    /// How it is, and since when if that matters.
    standing: (&'static str, Option<DateTime<Utc>>),
    /// Why it takes no backups although it is online.
    idle_because: Vec<String>,
    running_jobs: Vec<RunningJobView>,
    waiting: Vec<WaitingJobsView>,
    waiting_jobs: u64,
    holds: Vec<HeldView>,
    held_snapshots: u64,
    held_bytes: u64,
    problem: Option<String>,
    retire_error: Option<String>,
}

impl WorkerPage {
    async fn load(visit: &Visit, id: &WorkerId) -> Result<Self, ActionError> {
        let WorkerDetailView {
            worker,
            url,
            running_jobs,
            waiting,
            holds,
        } = workers::get(&visit.hub, &visit.actor, id).await?;
        Ok(Self {
            shell: visit.shell(Section::Workers),
            online: worker.gone_since.is_none(),
            standing: standing(&worker),
            idle_because: idle_because(&worker),
            waiting_jobs: waiting.iter().map(|jobs| jobs.jobs).sum(),
            held_snapshots: holds.iter().map(|held| held.snapshots).sum(),
            held_bytes: holds.iter().map(|held| held.bytes_stored).sum(),
            worker,
            url,
            running_jobs,
            waiting,
            holds,
            problem: None,
            retire_error: None,
        })
    }
}

fn standing(worker: &WorkerView) -> (&'static str, Option<DateTime<Utc>>) {
    match worker.state {
        WorkerState::Active => ("Takes whatever is due", None),
        WorkerState::Paused => ("Online, but takes no backups", None),
        WorkerState::Draining => ("Drained", worker.drain_requested_at),
        WorkerState::Stopping => ("Its process is shutting down", None),
        WorkerState::Stopped => ("Stopped", worker.gone_since),
        WorkerState::Away => ("Away: nothing was heard of it", worker.gone_since),
        WorkerState::Retired => ("Retired for ever", worker.retired_at),
    }
}

fn idle_because(worker: &WorkerView) -> Vec<String> {
    let mut reasons = Vec::new();
    if worker.retired_at.is_some() {
        return reasons;
    }
    if worker.drain_requested_at.is_some() {
        reasons.push(
            "It is drained: it finishes what it runs and takes no new backups and connection checks. Restores, \
             checks, downloads and deletions of what lies here go on."
                .to_owned(),
        );
    }
    if let Some(paused) = &worker.paused_reason {
        reasons.push(format!(
            "It takes no backups: {paused}. It goes on by itself once that has changed."
        ));
    }
    reasons
}

/// `GET /workers/{id}`
pub async fn show(Id(id): Id<WorkerId>, visit: Visit) -> Answer {
    visit.page(&WorkerPage::load(&visit, &id).await?)
}

/// `POST /workers/{id}/drain`
pub async fn drain(Id(id): Id<WorkerId>, Post { visit, .. }: Post) -> Answer {
    set_drained(&visit, &id, true, Flash::Drained).await
}

/// `POST /workers/{id}/undrain`
pub async fn undrain(Id(id): Id<WorkerId>, Post { visit, .. }: Post) -> Answer {
    set_drained(&visit, &id, false, Flash::Undrained).await
}

async fn set_drained(visit: &Visit, id: &WorkerId, drained: bool, said: Flash) -> Answer {
    match workers::set_drained(&visit.hub, &visit.actor, id, drained).await {
        Ok(_) => visit.go_saying(&format!("/workers/{id}"), said),
        Err(error @ ActionError::Conflict(_)) => refused(visit, id, &error).await,
        Err(other) => Err(other.into()),
    }
}

/// `POST /workers/{id}/retire`
pub async fn retire(Id(id): Id<WorkerId>, Post { visit, form }: Post) -> Answer {
    match retirement::retire(&visit.hub, &visit.actor, &id, form.text("confirm")).await {
        Ok(_) => visit.go_saying(&format!("/workers/{id}"), Flash::Retired),
        Err(ActionError::Invalid(_)) => {
            let page = WorkerPage {
                retire_error: Some("That is not its id".to_owned()),
                ..WorkerPage::load(&visit, &id).await?
            };
            visit.invalid(&page)
        }
        Err(error @ ActionError::Conflict(_)) => refused(&visit, &id, &error).await,
        Err(other) => Err(other.into()),
    }
}

async fn refused(visit: &Visit, id: &WorkerId, error: &ActionError) -> Answer {
    let page = WorkerPage {
        problem: Some(sentence(error)),
        ..WorkerPage::load(visit, id).await?
    };
    visit.invalid(&page)
}
