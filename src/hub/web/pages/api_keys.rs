//! Settings: keys for programs.

use askama::Template;
use chrono::TimeDelta;

use super::{
    field_errors::FieldErrors,
    filters,
    flash::Flash,
    form::Form,
    id::Id,
    shell::{Section, Shell},
    visit::{Answer, Post, Visit},
};
use crate::{
    domain::{ids::KeyId, user::Role},
    hub::{
        actions::{
            ActionError, ListQuery,
            api_keys::{self, NewApiKey},
        },
        views::ApiKeyView,
    },
};

/// Keys shown.
const SHOWN: i64 = 200;

#[derive(Template)]
#[template(path = "api_keys.html")]
struct ApiKeysPage {
    shell: Shell,
    keys: Vec<ApiKeyView>,
    roles: &'static [Role],
    /// The new key, shown once.
    created: Option<String>,
    name: String,
    chosen_role: Role,
    errors: FieldErrors,
}

impl ApiKeysPage {
    async fn new(visit: &Visit) -> Result<Self, ActionError> {
        let keys = api_keys::list(&visit.hub, &visit.actor, &ListQuery::first(SHOWN)).await?;
        Ok(Self {
            shell: visit.shell(Section::ApiKeys),
            keys: keys.items,
            roles: Role::ALL,
            created: None,
            name: String::new(),
            chosen_role: Role::Operator,
            errors: FieldErrors::default(),
        })
    }
}

/// `GET /settings/api-keys`
pub async fn list(visit: Visit) -> Answer {
    visit.page(&ApiKeysPage::new(&visit).await?)
}

/// The key that a form asks for.
fn wanted(visit: &Visit, form: &Form) -> Result<NewApiKey, ActionError> {
    let days = form.given("days").map(str::parse::<i64>).transpose();
    let days = days
        .ok()
        .filter(|days| days.is_none_or(|days| (1..=3650).contains(&days)));
    let days = days.ok_or_else(|| ActionError::invalid("/expires_at", "must be between 1 and 3650 days"))?;
    Ok(NewApiKey {
        name: form.text("name").to_owned(),
        role: form
            .text("role")
            .parse()
            .map_err(|detail: String| ActionError::invalid("/role", detail))?,
        expires_at: days.map(|days| visit.hub.clock.now() + TimeDelta::days(days)),
    })
}

/// `POST /settings/api-keys`. The key is shown in the answer itself: it must not be kept anywhere.
pub async fn create(Post { visit, form }: Post) -> Answer {
    let created = match wanted(&visit, &form) {
        Ok(new) => api_keys::create(&visit.hub, &visit.actor, new).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(key) => visit.page(&ApiKeysPage {
            created: Some(key.key),
            ..ApiKeysPage::new(&visit).await?
        }),
        Err(ActionError::Invalid(faults)) => visit.invalid(&ApiKeysPage {
            name: form.text("name").to_owned(),
            chosen_role: form.text("role").parse().unwrap_or(Role::Operator),
            errors: faults.into(),
            ..ApiKeysPage::new(&visit).await?
        }),
        Err(other) => Err(other.into()),
    }
}

/// `POST /settings/api-keys/{id}/revoke`
pub async fn revoke(Id(id): Id<KeyId>, Post { visit, .. }: Post) -> Answer {
    api_keys::delete(&visit.hub, &visit.actor, &id).await?;
    visit.go_saying("/settings/api-keys", Flash::KeyRevoked)
}
