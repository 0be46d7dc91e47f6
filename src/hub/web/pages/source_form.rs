//! Adding and editing a source.

use askama::Template;

use super::{
    field_errors::FieldErrors,
    filters,
    flash::Flash,
    form::{Form, Query},
    found::Found,
    id::Id,
    shell::{Section, Shell},
    source_detail::{last, report_of},
    source_input::{credential_changes, credentials},
    source_kinds,
    source_values::SourceForm,
    visit::{Answer, Post, Visit},
};
use crate::{
    domain::{field_error::FieldError, ids::SourceId, job::JobKind, source::SourceKind, user::Role},
    hub::{
        actions::{
            ActionError, jobs,
            sources::{self, NewSource, SourcePatch},
        },
        views::SourceView,
    },
};

#[derive(Template)]
#[template(path = "source_form.html")]
struct SourceFormPage {
    shell: Shell,
    heading: String,
    action: String,
    source: Option<SourceView>,
    form: SourceForm,
    errors: FieldErrors,
}

impl SourceFormPage {
    fn adding(visit: &Visit, form: SourceForm, errors: FieldErrors) -> Self {
        Self {
            shell: visit.shell(Section::Sources),
            heading: "Add a source".into(),
            action: "/sources/new".into(),
            source: None,
            form,
            errors,
        }
    }

    fn editing(visit: &Visit, source: SourceView, form: SourceForm, errors: FieldErrors) -> Self {
        Self {
            shell: visit.shell(Section::Sources),
            heading: format!("Edit {}", source.name),
            action: format!("/sources/{}/edit", source.id),
            source: Some(source),
            form,
            errors,
        }
    }
}

/// `GET /sources/new?kind=`
pub async fn new(visit: Visit, Query(query): Query) -> Answer {
    visit.actor.require(Role::Operator)?;
    let form = SourceForm::empty(kind_of(&query));
    visit.page(&SourceFormPage::adding(&visit, form, FieldErrors::default()))
}

/// The kind that is asked for; of an unknown one the form of the first is shown.
fn kind_of(form: &Form) -> SourceKind {
    form.text("kind").parse().unwrap_or(SourceKind::Ssh)
}

/// `POST /sources/new`: adds the source and looks at it at once.
pub async fn create(Post { visit, form }: Post) -> Answer {
    let created = add(&visit, &form).await;
    match created {
        Ok(source) => {
            jobs::order_probe(&visit.hub, &visit.actor, &source.id).await?;
            visit.go_saying(&format!("/sources/{}", source.id), Flash::SourceAdded)
        }
        Err(error) => {
            let errors = faults_of(error)?;
            visit.invalid(&SourceFormPage::adding(
                &visit,
                SourceForm::typed(kind_of(&form), &form, Vec::new()),
                errors,
            ))
        }
    }
}

async fn add(visit: &Visit, form: &Form) -> Result<SourceView, ActionError> {
    let kind = form.text("kind").parse::<SourceKind>();
    let kind = kind.map_err(|detail| ActionError::invalid("/kind", detail))?;
    let config = source_kinds::read(kind, form).map_err(ActionError::Invalid)?;
    let new = NewSource {
        name: form.text("name").to_owned(),
        kind,
        config: serde_json::to_value(config).map_err(ActionError::internal)?,
        credentials: credentials(kind, form),
    };
    sources::create(&visit.hub, &visit.actor, new).await
}

/// `GET /sources/{id}/edit`
pub async fn edit(Id(id): Id<SourceId>, visit: Visit) -> Answer {
    visit.actor.require(Role::Operator)?;
    let source = sources::get(&visit.hub, &visit.actor, &id).await?;
    let form = SourceForm::of(&source).choosing_from(found(&visit, &id).await?, &[]);
    visit.page(&SourceFormPage::editing(&visit, source, form, FieldErrors::default()))
}

/// `POST /sources/{id}/edit`
pub async fn update(Id(id): Id<SourceId>, Post { visit, form }: Post) -> Answer {
    let before = sources::get(&visit.hub, &visit.actor, &id).await?;
    let saved = match source_kinds::read(before.kind, &form) {
        Ok(config) => {
            let patch = SourcePatch {
                name: Some(form.text("name").to_owned()),
                credentials: Some(credential_changes(before.kind, &form)),
                config: Some(source_kinds::as_patch(&config)?),
            };
            sources::update(&visit.hub, &visit.actor, &id, patch).await
        }
        Err(faults) => Err(ActionError::Invalid(faults)),
    };
    match saved {
        Ok(_) => {
            jobs::order_probe(&visit.hub, &visit.actor, &id).await?;
            visit.go_saying(&format!("/sources/{id}"), Flash::SourceSaved)
        }
        Err(error) => {
            let errors = faults_of(error)?;
            let ticked: Vec<_> = form.all("database").collect();
            let typed = SourceForm::typed(before.kind, &form, before.credentials.clone());
            let typed = typed.choosing_from(found(&visit, &id).await?, &ticked);
            visit.invalid(&SourceFormPage::editing(&visit, before, typed, errors))
        }
    }
}

/// What the last probe saw.
async fn found(visit: &Visit, id: &SourceId) -> Result<Found, ActionError> {
    let report = last(visit, id, JobKind::Probe).await?.as_ref().and_then(report_of);
    Ok(report.unwrap_or_default())
}

/// Faults to show in the form; anything else is a page of its own.
fn faults_of(error: ActionError) -> Result<FieldErrors, ActionError> {
    match error {
        ActionError::Invalid(faults) => Ok(faults.into()),
        ActionError::Conflict(detail) => Ok(vec![FieldError::new("/name", detail)].into()),
        other => Err(other),
    }
}
