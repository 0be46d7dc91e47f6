//! Restoring to a server: first what would change, then the target's name, then the restore.

use std::collections::BTreeMap;

use askama::Template;

use super::{
    field_errors::FieldErrors,
    files, filters,
    form::{Form, Query},
    id::Id,
    job_detail,
    shell::{Section, Shell},
    source_kinds::address,
    source_rows::is_approved,
    visit::{Answer, Post, Visit},
};
use crate::{
    domain::{
        ids::{JobId, SnapshotId},
        server_restore::Existing,
        source::SourceKind,
        user::Role,
    },
    hub::{
        actions::{
            ActionError, JobLogin, ListQuery,
            restores_to_source::{self, NewServerRestore, fits},
            snapshots, sources,
        },
        views::{SnapshotView, SourceView},
    },
};

/// Most sources offered.
const MAX_TARGETS: i64 = 200;

/// A source that can be written to.
struct Target {
    source: SourceView,
    address: String,
    approved: bool,
    /// True if the snapshot came from it.
    own: bool,
}

#[derive(Template)]
#[template(path = "restore_to_server.html")]
struct Page {
    shell: Shell,
    snapshot: SnapshotView,
    picks: Vec<String>,
    targets: Vec<Target>,
    chosen: String,
    /// True if dumps go into databases.
    databases: bool,
    into: String,
    choices: Vec<Choice>,
    existing: &'static str,
    owners: bool,
    user: String,
    errors: FieldErrors,
}

impl Page {
    async fn new(visit: &Visit, id: &SnapshotId, form: &Form, errors: FieldErrors) -> Result<Self, ActionError> {
        let (hub, actor) = (&visit.hub, &visit.actor);
        let snapshot = snapshots::get(hub, actor, id).await?;
        let from = sources::get(hub, actor, &snapshot.source_id).await?;
        let query = ListQuery {
            limit: MAX_TARGETS,
            ..ListQuery::default()
        };
        let all = sources::list(hub, actor, &query).await?.items;
        let fitting = all.into_iter().filter(|source| fits(from.kind, source.kind));
        let mut targets: Vec<Target> = fitting
            .map(|source| Target {
                address: address(&source.config),
                approved: is_approved(&source),
                own: source.id == snapshot.source_id,
                source,
            })
            .collect();
        targets.sort_by_key(|target| !target.own);
        let first = targets.iter().find(|target| target.approved);
        let first = first.map(|target| target.source.id.to_string()).unwrap_or_default();
        Ok(Self {
            shell: visit.shell(Section::Snapshots),
            picks: files::picks(form),
            databases: !matches!(from.kind, SourceKind::Ssh | SourceKind::Sftp | SourceKind::Ftp),
            chosen: form.given("target").map_or(first, str::to_owned),
            into: form.text("into").to_owned(),
            choices: Existing::CHOICES.iter().map(Choice::from).collect(),
            existing: existing(form).as_str(),
            owners: form.given("owners").is_some(),
            user: form.text("user").to_owned(),
            snapshot,
            targets,
            errors,
        })
    }
}

fn existing(form: &Form) -> Existing {
    let chosen = |choice: &&Existing| choice.as_str() == form.text("existing");
    Existing::CHOICES.iter().find(chosen).copied().unwrap_or_default()
}

/// What may be done with what is there already.
struct Choice {
    value: &'static str,
    word: &'static str,
    about: &'static str,
}

impl From<&Existing> for Choice {
    fn from(existing: &Existing) -> Self {
        let (word, about) = match existing {
            Existing::Changed => (
                "Overwrite what differs",
                "By size, time and mode. What is the same is left alone.",
            ),
            Existing::Never => ("Keep what is there", "Only what is missing is written."),
            Existing::All => ("Overwrite everything", "Also what looks the same."),
        };
        Self {
            value: existing.as_str(),
            word,
            about,
        }
    }
}

/// The login in a form, for one job only.
fn login(form: &Form) -> JobLogin {
    JobLogin {
        user: form.given("user").map(str::to_owned),
        password: form.secret("password"),
        private_key: form.secret("private_key"),
        passphrase: form.secret("passphrase"),
    }
}

/// `GET /snapshots/{id}/restore-to-server`
pub async fn show(Id(id): Id<SnapshotId>, visit: Visit, Query(query): Query) -> Answer {
    visit.actor.require(Role::Operator)?;
    visit.page(&Page::new(&visit, &id, &query, FieldErrors::default()).await?)
}

/// `POST /snapshots/{id}/restore-to-server`: a dry run.
pub async fn look(Id(id): Id<SnapshotId>, Post { visit, form }: Post) -> Answer {
    let ordered = match form.text("target").parse() {
        Ok(target_source_id) => {
            let new = NewServerRestore {
                target_source_id,
                paths: Some(files::picks(&form)).filter(|picks| !picks.is_empty()),
                into: form.given("into").map(str::to_owned),
                existing: existing(&form),
                databases: BTreeMap::new(),
                owners: form.given("owners").is_some(),
                credentials: Some(login(&form)),
                dry_run: true,
                confirm: None,
            };
            restores_to_source::order_of_snapshot(&visit.hub, &visit.actor, &id, new).await
        }
        Err(_) => Err(ActionError::invalid("/target_source_id", "choose a server")),
    };
    match ordered {
        Ok(job) => visit.go(&format!("/jobs/{}", job.id)),
        Err(ActionError::Invalid(faults)) => visit.invalid(&Page::new(&visit, &id, &form, faults.into()).await?),
        Err(other) => Err(other.into()),
    }
}

/// `POST /jobs/{id}/carry-out`: what a dry run has shown.
pub async fn carry_out(Id(id): Id<JobId>, Post { visit, form }: Post) -> Answer {
    let confirm = form.text("confirm").to_owned();
    let ordered = restores_to_source::order_of_dry_run(&visit.hub, &visit.actor, &id, confirm, login(&form)).await;
    match ordered {
        Ok(job) => visit.go(&format!("/jobs/{}", job.id)),
        Err(ActionError::Invalid(faults)) => job_detail::invalid(&visit, &id, faults.into()).await,
        Err(other) => Err(other.into()),
    }
}
