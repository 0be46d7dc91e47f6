//! Adding and editing a source.

use std::collections::BTreeMap;

use askama::{
    Template,
    filters::{Html, Safe, escape},
};

use super::{
    field_errors::FieldErrors,
    filters,
    flash::Flash,
    form::{Form, Query},
    id::Id,
    shell::{Section, Shell},
    source_input::{credential_changes, credentials},
    source_kinds,
    visit::{Answer, Post, Visit},
};
use crate::{
    domain::{field_error::FieldError, ids::SourceId, source::SourceKind, user::Role},
    hub::{
        actions::{
            ActionError, jobs,
            sources::{self, NewSource, SourcePatch},
        },
        views::{CredentialView, SourceView},
    },
};

/// What the form shows. Secrets are not in it: they are never echoed.
struct SourceForm {
    kind: SourceKind,
    values: BTreeMap<&'static str, String>,
    set: Vec<CredentialView>,
}

impl SourceForm {
    fn empty(kind: SourceKind) -> Self {
        let blank = source_kinds::blank(kind).iter();
        Self {
            kind,
            values: blank.map(|(name, value)| (*name, (*value).to_owned())).collect(),
            set: Vec::new(),
        }
    }

    fn of(source: &SourceView) -> Self {
        let mut values: BTreeMap<_, _> = source_kinds::fields(&source.config).into_iter().collect();
        values.insert("name", source.name.clone());
        Self {
            kind: source.kind,
            values,
            set: source.credentials.clone(),
        }
    }

    /// What was typed, as it was typed, but for secrets.
    fn typed(kind: SourceKind, form: &Form, set: Vec<CredentialView>) -> Self {
        let names = source_kinds::blank(kind).iter().map(|(name, _)| *name);
        Self {
            kind,
            values: names
                .chain(["name"])
                .map(|name| (name, form.text(name).to_owned()))
                .collect(),
            set,
        }
    }

    /// What a field holds.
    fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    fn is(&self, kind: &str) -> bool {
        self.kind.as_str() == kind
    }

    /// Faults of what has no field here.
    fn elsewhere(&self, errors: &FieldErrors) -> Vec<String> {
        errors.elsewhere(&[&["/kind", "/name"], source_kinds::pointers(self.kind)].concat())
    }

    fn jump_open(&self, errors: &FieldErrors) -> bool {
        !self.value("jump_host").is_empty()
            || errors.any_below("/config/jump")
            || errors.any_below("/credentials/jump_")
    }

    /// Says that a credential is set, with what makes it recognisable.
    fn kept(&self, field: &str) -> Safe<String> {
        let Some(set) = self.set.iter().find(|set| set.field == field) else {
            return Safe(String::new());
        };
        let when = set.set_at.format("%-d %b %Y");
        let fingerprint = set.fingerprint.as_deref().map_or(String::new(), |fingerprint| {
            let shown = escape(fingerprint, Html)
                .map(|text| text.to_string())
                .unwrap_or_default();
            format!(", <code>{shown}</code>")
        });
        Safe(format!(
            r#"<p class="hint">Set on {when}{fingerprint}. Leave it empty to keep it. <label class="forget"><input type="checkbox" name="forget" value="{field}"> Remove it</label></p>"#
        ))
    }
}

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
    let form = SourceForm::of(&source);
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
            let typed = SourceForm::typed(before.kind, &form, before.credentials.clone());
            visit.invalid(&SourceFormPage::editing(&visit, before, typed, errors))
        }
    }
}

/// Faults to show in the form; anything else is a page of its own.
fn faults_of(error: ActionError) -> Result<FieldErrors, ActionError> {
    match error {
        ActionError::Invalid(faults) => Ok(faults.into()),
        ActionError::Conflict(detail) => Ok(vec![FieldError::new("/name", detail)].into()),
        other => Err(other),
    }
}
