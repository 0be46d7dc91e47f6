//! One job: how far it is, why it failed, what it made.

use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{
    field_errors::FieldErrors,
    filters,
    flash::Flash,
    id::Id,
    live,
    restore_report::Report,
    shell::{Section, Shell},
    visit::{Answer, Post, Visit},
};
use crate::{
    domain::{
        dump::Load,
        ids::JobId,
        job::{ExportFormat, JobKind, JobState},
        site::Site,
    },
    hub::{
        actions::{ActionError, jobs},
        views::{JobEventView, JobView},
    },
};

/// What a restore made, as it stands in the job's result.
#[derive(Deserialize)]
struct Export {
    #[serde(rename = "download_state")]
    state: String,
    #[serde(default)]
    download_url: Option<String>,
    expires_at: DateTime<Utc>,
    format: ExportFormat,
    bytes: u64,
    sha256: String,
    load: Vec<Load>,
}

impl Export {
    fn of(job: &JobView) -> Option<Self> {
        let result = job
            .result
            .clone()
            .filter(|_| job.kind == JobKind::Restore && job.state == JobState::Succeeded)?;
        serde_json::from_value(result).ok()
    }

    fn title(&self) -> &'static str {
        match self.state.as_str() {
            "ready" => "Your download is ready",
            "downloaded" => "The download was fetched",
            "expired" => "The link has expired",
            _ => "The download",
        }
    }

    fn explanation(&self) -> &'static str {
        match self.state.as_str() {
            "downloaded" => {
                "The link worked once and is dead now; the file is removed. Restore again to get a new one."
            }
            "expired" => "Nobody fetched it in time; the file is removed. Restore again to get a new link.",
            _ => "Only operators and owners see the link.",
        }
    }
}

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    shell: Shell,
    live: String,
    job: JobView,
    export: Option<Export>,
    /// What a backup of a WordPress site is of.
    site: Option<Site>,
    report: Option<Report>,
    errors: FieldErrors,
    events: Vec<JobEventView>,
}

/// `GET /jobs/{id}`
pub async fn show(Id(id): Id<JobId>, visit: Visit) -> Answer {
    visit.page(&JobPage::new(&visit, &id, FieldErrors::default()).await?)
}

/// The page of a job, with what is wrong in the form on it.
pub async fn invalid(visit: &Visit, id: &JobId, errors: FieldErrors) -> Answer {
    visit.invalid(&JobPage::new(visit, id, errors).await?)
}

impl JobPage {
    async fn new(visit: &Visit, id: &JobId, errors: FieldErrors) -> Result<Self, ActionError> {
        let job = jobs::get(&visit.hub, &visit.actor, id).await?;
        let events = jobs::events(&visit.hub, &visit.actor, id, 0).await?;
        Ok(Self {
            shell: visit.shell(Section::Jobs),
            live: live::address(Some(&job).filter(|job| !job.state.is_final())),
            export: Export::of(&job),
            site: site_of(&job),
            report: Report::of(&job),
            errors,
            events,
            job,
        })
    }
}

/// What a backup of a WordPress site says of it.
pub(super) fn site_of(job: &JobView) -> Option<Site> {
    serde_json::from_value(job.result.as_ref()?.get("site")?.clone()).ok()
}

/// `POST /jobs/{id}/cancel`
pub async fn cancel(Id(id): Id<JobId>, Post { visit, .. }: Post) -> Answer {
    let said = match jobs::cancel(&visit.hub, &visit.actor, &id).await {
        Ok(job) if job.state.is_final() => Flash::TooLateToCancel,
        Ok(_) => Flash::Cancelling,
        Err(ActionError::Conflict(_)) => Flash::TooLateToCancel,
        Err(other) => return Err(other.into()),
    };
    visit.go_saying(&format!("/jobs/{id}"), said)
}
