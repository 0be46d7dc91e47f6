//! Sources: add, look, change, delete.

use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;

use super::{ActionError, Actor, List, ListQuery, audit, credentials, error::conflict_on, input, names, source_views};
use crate::{
    db::{
        DbError, jobs,
        sources::{self, Source, SourceFields},
    },
    domain::{
        ids::SourceId,
        source::{Credentials, PinnedIdentity, SourceConfig, SourceKind},
        user::Role,
    },
    hub::{Hub, views::SourceView},
};

/// A source to add.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSource {
    /// Its name, unique in the tenant whatever the letter case.
    pub name: String,
    /// Decides how it is read.
    pub kind: SourceKind,
    /// Where and what; which fields there are depends on the kind.
    #[schema(value_type = SourceConfig)]
    pub config: Value,
    /// What opens it, by field. Goes in, never comes out.
    #[schema(value_type = std::collections::BTreeMap<String, String>, write_only)]
    pub credentials: Credentials,
}

/// What to change of a source; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourcePatch {
    /// Another name.
    #[serde(default)]
    pub name: Option<String>,
    /// Merged into the configuration: absent fields stay, `null` removes (`jump`, `exclude`), lists are replaced.
    #[serde(default)]
    pub config: Option<serde_json::Map<String, Value>>,
    /// Credentials to set, or with `null` to remove.
    #[serde(default)]
    #[schema(value_type = Option<std::collections::BTreeMap<String, Option<String>>>, write_only)]
    pub credentials: Option<credentials::CredentialsPatch>,
}

/// Adds a source. It is not looked at: order a probe for that.
pub async fn create(hub: &Hub, actor: &Actor, new: NewSource) -> Result<SourceView, ActionError> {
    actor.require(Role::Operator)?;
    let config = input::parse_seed("/config", new.kind, new.config)?;
    let mut faults = names::faults("/name", &new.name);
    faults.extend(config.validate(&new.credentials));
    ActionError::unless_valid(faults)?;
    let fields = SourceFields {
        name: new.name.trim().to_owned(),
        config,
    };
    let id = SourceId::generate();
    let mut tx = hub.begin().await?;
    let source = sources::insert(&mut tx, &actor.tenant_id, &id, &fields)
        .await
        .map_err(|error| name_taken(error, &fields.name))?;
    let key = hub.data_key(&mut tx, &actor.tenant_id).await?;
    credentials::store(&mut tx, &key, &actor.tenant_id, &id, &new.credentials).await?;
    audit::record(&mut tx, actor, "source.create", Some(id.as_str())).await?;
    let view = source_views::one(&mut tx, actor, source).await?;
    hub.commit(tx).await?;
    Ok(view)
}

/// Sources of the tenant that are not deleted.
pub async fn list(hub: &Hub, actor: &Actor, query: &ListQuery) -> Result<List<SourceView>, ActionError> {
    let page = query.page::<SourceId>()?;
    let mut conn = hub.connection().await?;
    let rows = sources::list(&mut conn, &actor.tenant_id, &page).await?;
    source_views::page(&mut conn, actor, List::cut(rows, query, |source| source.id.as_str())).await
}

/// One source, deleted or not: its snapshots still name it.
pub async fn get(hub: &Hub, actor: &Actor, id: &SourceId) -> Result<SourceView, ActionError> {
    let mut conn = hub.connection().await?;
    let source = sources::get(&mut conn, &actor.tenant_id, id).await?;
    source_views::one(&mut conn, actor, source.ok_or(NO_SOURCE)?).await
}

/// Changes a source. Another host, port or jump host is another machine: its identity has to be approved anew.
pub async fn update(hub: &Hub, actor: &Actor, id: &SourceId, patch: SourcePatch) -> Result<SourceView, ActionError> {
    actor.require(Role::Operator)?;
    let mut tx = hub.begin().await?;
    let before = lock_present(&mut tx, actor, id).await?;
    let fields = SourceFields {
        name: patch.name.unwrap_or_else(|| before.name.clone()),
        config: match patch.config {
            Some(changes) => merged(&before.config, changes)?,
            None => before.config.clone(),
        },
    };
    let key = hub.data_key(&mut tx, &actor.tenant_id).await?;
    let old_credentials = credentials::open(&mut tx, &key, &actor.tenant_id, id).await?;
    let changes = patch.credentials.unwrap_or_default();
    let credentials = changes.applied_to(old_credentials);
    let mut faults = names::faults("/name", &fields.name);
    faults.extend(fields.config.validate(&credentials));
    ActionError::unless_valid(faults)?;

    let identity = still_pinned(&before, &fields.config);
    let name = fields.name.trim().to_owned();
    let fields = SourceFields { name, ..fields };
    let source = sources::update(&mut tx, &actor.tenant_id, id, &fields, &identity)
        .await
        .map_err(|error| name_taken(error, &fields.name))?;
    credentials::store_changes(&mut tx, &key, &actor.tenant_id, id, &changes).await?;
    audit::record(&mut tx, actor, "source.update", Some(id.as_str())).await?;
    let view = source_views::one(&mut tx, actor, source).await?;
    hub.commit(tx).await?;
    Ok(view)
}

/// Deletes a source and its credentials. Its snapshots stay, and can be restored, until they are deleted
/// themselves. Refused while a backup is active.
pub async fn delete(hub: &Hub, actor: &Actor, id: &SourceId) -> Result<(), ActionError> {
    actor.require(Role::Owner)?;
    let mut tx = hub.begin().await?;
    lock_present(&mut tx, actor, id).await?;
    if let Some(job) = jobs::active_backup(&mut tx, &actor.tenant_id, id).await? {
        return Err(ActionError::ActiveBackup(job));
    }
    sources::delete(&mut tx, &actor.tenant_id, id, hub.clock.now()).await?;
    audit::record(&mut tx, actor, "source.delete", Some(id.as_str())).await?;
    hub.commit(tx).await
}

/// What a call gets for a source of nobody, or of another tenant.
pub(super) const NO_SOURCE: ActionError = ActionError::NotFound("source");

/// A source that is not deleted, locked until the transaction ends.
pub(super) async fn lock_present(conn: &mut PgConnection, actor: &Actor, id: &SourceId) -> Result<Source, ActionError> {
    let source = sources::lock(conn, &actor.tenant_id, id).await?.ok_or(NO_SOURCE)?;
    match source.deleted_at {
        None => Ok(source),
        Some(_) => Err(ActionError::Conflict(
            "this source was deleted; only its snapshots are left".into(),
        )),
    }
}

fn name_taken(error: DbError, name: &str) -> ActionError {
    let detail = format!("there is a source named {name:?} already");
    conflict_on(error, sources::NAME_UNIQUE, &detail)
}

/// The configuration with `changes` merged in (RFC 7396, one level deep; `jump` is replaced as a whole).
fn merged(config: &SourceConfig, changes: serde_json::Map<String, Value>) -> Result<SourceConfig, ActionError> {
    let mut value = serde_json::to_value(config).map_err(ActionError::internal)?;
    if let Some(fields) = value.as_object_mut() {
        for (name, change) in changes {
            if change.is_null() {
                fields.remove(&name);
            } else {
                fields.insert(name, change);
            }
        }
    }
    input::parse_seed("/config", config.kind(), value)
}

/// The identities that still belong to the machines of the new configuration.
fn still_pinned(before: &Source, after: &SourceConfig) -> PinnedIdentity {
    let old = &before.config;
    let same_target = old.target() == after.target();
    let same_jump = old.jump() == after.jump();
    // The same name may mean another machine when it is resolved from another place.
    PinnedIdentity {
        target: before.identity.target.clone().filter(|_| same_target && same_jump),
        jump: before.identity.jump.clone().filter(|_| same_jump),
    }
}
