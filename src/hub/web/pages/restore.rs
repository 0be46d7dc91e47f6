//! Ordering a restore: what, and in which form.

use askama::Template;

use super::{
    field_errors::FieldErrors,
    files, filters,
    flash::Flash,
    form::{Form, Query},
    id::Id,
    shell::{Section, Shell},
    visit::{Answer, Post, Visit},
};
use crate::{
    domain::{field_error::FieldError, ids::SnapshotId, job::ExportFormat, user::Role},
    hub::{
        actions::{
            ActionError,
            restores::{self, NewRestore},
            snapshots,
        },
        views::SnapshotView,
    },
};

struct Choice {
    format: ExportFormat,
    about: &'static str,
}

/// Every format with what it is good for.
fn choices() -> Vec<Choice> {
    let about = |format: &ExportFormat| match format {
        ExportFormat::TarZst => "Small and fast. Keeps owners, modes, links and times.",
        ExportFormat::TarGz => "Like tar.zst, larger, but opens everywhere.",
        ExportFormat::Tar => "Not compressed. Keeps owners, modes, links and times.",
        ExportFormat::Zip => "For Windows and macOS desktops. Loses owners and hard links.",
    };
    let mut all: Vec<Choice> = ExportFormat::ALL
        .iter()
        .map(|format| Choice {
            format: *format,
            about: about(format),
        })
        .collect();
    all.sort_by_key(|choice| choice.format != ExportFormat::TarZst);
    all
}

#[derive(Template)]
#[template(path = "restore.html")]
struct RestorePage {
    shell: Shell,
    snapshot: SnapshotView,
    picks: Vec<String>,
    formats: Vec<Choice>,
    format: ExportFormat,
    errors: FieldErrors,
}

impl RestorePage {
    async fn new(visit: &Visit, id: &SnapshotId, form: &Form, errors: FieldErrors) -> Result<Self, ActionError> {
        Ok(Self {
            shell: visit.shell(Section::Snapshots),
            snapshot: snapshots::get(&visit.hub, &visit.actor, id).await?,
            picks: files::picks(form),
            formats: choices(),
            format: chosen_format(form).unwrap_or(ExportFormat::TarZst),
            errors,
        })
    }
}

fn chosen_format(form: &Form) -> Option<ExportFormat> {
    ExportFormat::ALL
        .iter()
        .copied()
        .find(|format| format.as_str() == form.text("format"))
}

/// `GET /snapshots/{id}/restore`
pub async fn show(Id(id): Id<SnapshotId>, visit: Visit, Query(query): Query) -> Answer {
    visit.actor.require(Role::Operator)?;
    let page = RestorePage::new(&visit, &id, &query, FieldErrors::default()).await?;
    // From the file browser: nothing ticked must not become "everything".
    if query.given("chosen").is_some() && page.picks.is_empty() {
        return visit.go_saying(&format!("/snapshots/{id}/files"), Flash::NothingChosen);
    }
    visit.page(&page)
}

/// `POST /snapshots/{id}/restore`
pub async fn order(Id(id): Id<SnapshotId>, Post { visit, form }: Post) -> Answer {
    let picks = files::picks(&form);
    let ordered = match chosen_format(&form) {
        Some(format) => {
            let restore = NewRestore {
                format,
                paths: Some(picks).filter(|picks| !picks.is_empty()),
            };
            restores::order_of_snapshot(&visit.hub, &visit.actor, &id, restore).await
        }
        None => Err(ActionError::Invalid(vec![FieldError::new(
            "/format",
            "choose a format",
        )])),
    };
    match ordered {
        Ok(job) => visit.go(&format!("/jobs/{}", job.id)),
        Err(ActionError::Invalid(faults)) => visit.invalid(&RestorePage::new(&visit, &id, &form, faults.into()).await?),
        Err(other) => Err(other.into()),
    }
}
