//! Credentials of sources: sealed one by one, each to its tenant, source and field.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sqlx::PgConnection;

use super::ActionError;
use crate::{
    crypto::{
        envelope::{Binding, DataKey},
        ssh_key,
    },
    db::source_credentials,
    domain::{
        ids::{SourceId, TenantId},
        source::{CredentialField, Credentials},
    },
};

/// Changes of credentials by field: a value sets it, `null` removes it, absence keeps it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct CredentialsPatch(BTreeMap<CredentialField, Option<SecretString>>);

impl CredentialsPatch {
    /// Sets one secret, or with `None` removes it.
    pub fn change(&mut self, field: CredentialField, to: Option<SecretString>) {
        self.0.insert(field, to);
    }

    /// What it does to one secret, if anything.
    pub fn of(&self, field: CredentialField) -> Option<&Option<SecretString>> {
        self.0.get(&field)
    }

    /// The credentials after the changes.
    pub(super) fn applied_to(&self, mut credentials: Credentials) -> Credentials {
        for (&field, to) in &self.0 {
            match to {
                Some(value) => credentials.set(field, value.clone()),
                None => credentials.unset(field),
            }
        }
        credentials
    }
}

/// Seals and stores every field that is set; an empty one counts as not set.
pub(super) async fn store(
    conn: &mut PgConnection,
    key: &DataKey,
    tenant_id: &TenantId,
    source_id: &SourceId,
    credentials: &Credentials,
) -> Result<(), ActionError> {
    for (field, value) in credentials.iter() {
        let binding = binding(tenant_id, source_id, field);
        let sealed = key.seal(&binding, value.expose_secret().as_bytes());
        let fingerprint = match field.is_private_key() {
            true => ssh_key::fingerprint(value),
            false => None,
        };
        source_credentials::set(
            conn,
            tenant_id,
            source_id,
            binding.field,
            &sealed,
            fingerprint.as_deref(),
        )
        .await?;
    }
    Ok(())
}

/// Stores what `changes` changed.
pub(super) async fn store_changes(
    conn: &mut PgConnection,
    key: &DataKey,
    tenant_id: &TenantId,
    source_id: &SourceId,
    changes: &CredentialsPatch,
) -> Result<(), ActionError> {
    for field in changes.0.keys() {
        source_credentials::unset(conn, tenant_id, source_id, field.as_str()).await?;
    }
    let set = changes.applied_to(Credentials::default());
    store(conn, key, tenant_id, source_id, &set).await
}

/// The credentials of a source in clear.
pub(super) async fn open(
    conn: &mut PgConnection,
    key: &DataKey,
    tenant_id: &TenantId,
    source_id: &SourceId,
) -> Result<Credentials, ActionError> {
    let mut credentials = Credentials::default();
    for (field, sealed) in source_credentials::sealed(conn, tenant_id, source_id).await? {
        let field: CredentialField = field
            .parse()
            .map_err(|error| ActionError::internal(format!("source {source_id}: {error}")))?;
        credentials.set(field, key.open_text(&binding(tenant_id, source_id, field), &sealed)?);
    }
    Ok(credentials)
}

fn binding<'a>(tenant_id: &'a TenantId, source_id: &'a SourceId, field: CredentialField) -> Binding<'a> {
    Binding {
        tenant_id,
        row: source_id.as_str(),
        field: field.as_str(),
    }
}
