//! API keys: made by owners, for programs.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{ActionError, Actor, List, ListQuery, audit, auth, names};
use crate::{
    crypto::tokens,
    db::api_keys::{self, ApiKey},
    domain::{field_error::FieldError, ids::KeyId, user::Role},
    hub::{
        Hub,
        views::{ApiKeyCreated, ApiKeyView},
    },
};

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
const FAR: i64 = 253_402_300_799;

/// A key to make.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What it is for.
    pub name: String,
    /// The most it may do.
    pub role: Role,
    /// Dead from then on; lives until deleted if absent.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// Makes a key; the answer is the only place it is ever shown.
pub async fn create(hub: &Hub, actor: &Actor, new: NewApiKey) -> Result<ApiKeyCreated, ActionError> {
    actor.require(Role::Owner)?;
    let now = hub.clock.now();
    let mut errors = names::faults("/name", &new.name);
    if new.expires_at.is_some_and(|at| at <= now) {
        errors.push(FieldError::new("/expires_at", "lies in the past"));
    }
    if new.expires_at.is_some_and(|at| at.timestamp() > FAR) {
        errors.push(FieldError::new(
            "/expires_at",
            "lies too far in the future; leave it out for a key that never expires",
        ));
    }
    ActionError::unless_valid(errors)?;
    let key = ApiKey {
        id: KeyId::generate(),
        name: new.name.trim().to_owned(),
        role: new.role,
        created_by: actor.user_id.clone(),
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
    };
    let secret = tokens::generate(auth::API_KEY_PREFIX);
    let mut tx = hub.begin().await?;
    api_keys::insert(&mut tx, &actor.tenant_id, &key, &tokens::hash(&secret)).await?;
    audit::record(&mut tx, actor, "api_key.create", Some(key.id.as_str())).await?;
    hub.commit(tx).await?;
    Ok(ApiKeyCreated {
        view: view(key),
        key: secret.expose_secret().to_owned(),
    })
}

/// Keys of the tenant.
pub async fn list(hub: &Hub, actor: &Actor, query: &ListQuery) -> Result<List<ApiKeyView>, ActionError> {
    actor.require(Role::Owner)?;
    let page = query.page::<KeyId>()?;
    let keys = api_keys::list(&mut *hub.connection().await?, &actor.tenant_id, &page).await?;
    Ok(List::cut(keys, query, |key| key.id.as_str()).map(view))
}

/// Ends a key at once.
pub async fn delete(hub: &Hub, actor: &Actor, id: &KeyId) -> Result<(), ActionError> {
    actor.require(Role::Owner)?;
    let mut tx = hub.begin().await?;
    if !api_keys::delete(&mut tx, &actor.tenant_id, id).await? {
        return Err(ActionError::NotFound("API key"));
    }
    audit::record(&mut tx, actor, "api_key.delete", Some(id.as_str())).await?;
    hub.commit(tx).await
}

fn view(key: ApiKey) -> ApiKeyView {
    ApiKeyView {
        id: key.id,
        name: key.name,
        role: key.role,
        created_by: key.created_by,
        created_at: key.created_at,
        expires_at: key.expires_at,
        last_used_at: key.last_used_at,
    }
}
