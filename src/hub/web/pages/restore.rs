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
    domain::{
        dump::{self, Dump, Load},
        export,
        field_error::FieldError,
        ids::SnapshotId,
        job::ExportFormat,
        user::Role,
    },
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

/// Every format that can hold the choice, with what it is good for; the one to begin with first.
fn choices(picks: &[String]) -> Vec<Choice> {
    let about = |format: &ExportFormat| match format {
        ExportFormat::TarZst => "Small and fast. Keeps owners, modes, links and times.",
        ExportFormat::TarGz => "Like tar.zst, larger, but opens everywhere.",
        ExportFormat::Tar => "Not compressed. Keeps owners, modes, links and times.",
        ExportFormat::Zip => "For Windows and macOS desktops. Loses owners and hard links.",
        ExportFormat::File => "The one file as it is, not packed. A dump can be loaded at once.",
    };
    let mut all: Vec<Choice> = ExportFormat::ALL
        .iter()
        .filter(|format| **format != ExportFormat::File || picks.len() == 1)
        .map(|format| Choice {
            format: *format,
            about: about(format),
        })
        .collect();
    let first = preferred(picks);
    all.sort_by_key(|choice| choice.format != first);
    all
}

/// What most people want: a dump as it is, all else small.
fn preferred(picks: &[String]) -> ExportFormat {
    match picks {
        [path] if Dump::at(path).is_some() => ExportFormat::File,
        _ => ExportFormat::TarZst,
    }
}

#[derive(Template)]
#[template(path = "restore.html")]
struct RestorePage {
    shell: Shell,
    snapshot: SnapshotView,
    picks: Vec<String>,
    formats: Vec<Choice>,
    format: ExportFormat,
    /// How what was chosen is loaded, if it is dumps.
    loads: Vec<Load>,
    /// True if the dumps will have to be unpacked first.
    packed: bool,
    errors: FieldErrors,
}

impl RestorePage {
    async fn new(visit: &Visit, id: &SnapshotId, form: &Form, errors: FieldErrors) -> Result<Self, ActionError> {
        let snapshot = snapshots::get(&visit.hub, &visit.actor, id).await?;
        let picks = files::picks(form);
        let first = preferred(&picks);
        let file_name = export::file_name(snapshot.created_at, id, first, &picks);
        Ok(Self {
            shell: visit.shell(Section::Snapshots),
            formats: choices(&picks),
            format: chosen_format(form).unwrap_or(first),
            loads: dump::loads(first, &file_name, &dump::chosen(&snapshot.dumps, &picks)),
            packed: first != ExportFormat::File,
            snapshot,
            picks,
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
