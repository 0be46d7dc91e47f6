//! Adding and editing a source.

use askama::{
    Template,
    filters::{Html, Safe, escape},
};

use super::{
    field_errors::FieldErrors,
    filters,
    flash::Flash,
    form::Form,
    id::Id,
    shell::{Section, Shell},
    source_input::{as_patch, config, credential_changes, credentials},
    visit::{Answer, Post, Visit},
};
use crate::{
    domain::{
        field_error::FieldError,
        ids::SourceId,
        source::{SourceConfig, SourceKind},
        user::Role,
    },
    hub::{
        actions::{
            ActionError, jobs,
            sources::{self, NewSource, SourcePatch},
        },
        views::{CredentialView, SourceView},
    },
};

/// What the form shows. Secrets are not in it: they are never echoed.
#[derive(Default)]
struct SourceForm {
    kind: String,
    name: String,
    host: String,
    port: String,
    user: String,
    paths: String,
    exclude: String,
    jump_host: String,
    jump_port: String,
    jump_user: String,
    set: Vec<CredentialView>,
}

/// Pointers of the fields that show their own faults.
const POINTERS: &[&str] = &[
    "/kind",
    "/name",
    "/config/host",
    "/config/port",
    "/config/user",
    "/config/paths",
    "/config/exclude",
    "/config/jump/host",
    "/config/jump/port",
    "/config/jump/user",
    "/credentials",
    "/credentials/private_key",
    "/credentials/passphrase",
    "/credentials/password",
    "/credentials/jump_private_key",
    "/credentials/jump_passphrase",
    "/credentials/jump_password",
];

impl SourceForm {
    fn empty() -> Self {
        Self {
            kind: "ssh".into(),
            port: "22".into(),
            jump_port: "22".into(),
            ..Self::default()
        }
    }

    fn of(source: &SourceView) -> Self {
        let (SourceConfig::Ssh(config) | SourceConfig::Sftp(config)) = &source.config;
        let jump = config.jump.as_ref();
        Self {
            kind: source.kind.as_str().into(),
            name: source.name.clone(),
            host: config.host.clone(),
            port: config.port.to_string(),
            user: config.user.clone(),
            paths: config.paths.join("\n"),
            exclude: config.exclude.join("\n"),
            jump_host: jump.map(|jump| jump.host.clone()).unwrap_or_default(),
            jump_port: jump.map_or("22".to_owned(), |jump| jump.port.to_string()),
            jump_user: jump.map(|jump| jump.user.clone()).unwrap_or_default(),
            set: source.credentials.clone(),
        }
    }

    /// What was typed, as it was typed.
    fn typed(form: &Form, set: Vec<CredentialView>) -> Self {
        let text = |name: &str| form.text(name).to_owned();
        Self {
            kind: text("kind"),
            name: text("name"),
            host: text("host"),
            port: text("port"),
            user: text("user"),
            paths: text("paths"),
            exclude: text("exclude"),
            jump_host: text("jump_host"),
            jump_port: text("jump_port"),
            jump_user: text("jump_user"),
            set,
        }
    }

    fn pointers(&self) -> &'static [&'static str] {
        POINTERS
    }

    fn jump_open(&self, errors: &FieldErrors) -> bool {
        !self.jump_host.is_empty() || errors.any_below("/config/jump") || errors.any_below("/credentials/jump_")
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

/// `GET /sources/new`
pub async fn new(visit: Visit) -> Answer {
    visit.actor.require(Role::Operator)?;
    visit.page(&SourceFormPage::adding(
        &visit,
        SourceForm::empty(),
        FieldErrors::default(),
    ))
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
                SourceForm::typed(&form, Vec::new()),
                errors,
            ))
        }
    }
}

async fn add(visit: &Visit, form: &Form) -> Result<SourceView, ActionError> {
    let kind = form.text("kind").parse::<SourceKind>();
    let kind = kind.map_err(|detail| ActionError::invalid("/kind", detail))?;
    let config = config(form).map_err(ActionError::Invalid)?;
    let new = NewSource {
        name: form.text("name").to_owned(),
        kind,
        config: serde_json::to_value(config).map_err(ActionError::internal)?,
        credentials: credentials(form),
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
    let saved = match config(&form) {
        Ok(config) => {
            let patch = SourcePatch {
                name: Some(form.text("name").to_owned()),
                credentials: Some(credential_changes(&form)),
                config: Some(as_patch(&config)?),
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
            let typed = SourceForm {
                kind: before.kind.as_str().into(),
                ..SourceForm::typed(&form, before.credentials.clone())
            };
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
