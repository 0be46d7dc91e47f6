//! Credentials of sources: sealed one by one, each to its tenant, source and field.

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
        source::SshCredentials,
    },
};

/// Changes of credentials by field: a value sets it, `null` removes it, absence keeps it.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialsPatch {
    /// OpenSSH or PEM private key.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, write_only)]
    pub private_key: Option<Option<SecretString>>,
    /// Passphrase of `private_key`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, write_only)]
    pub passphrase: Option<Option<SecretString>>,
    /// Password of the login.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, write_only)]
    pub password: Option<Option<SecretString>>,
    /// Private key for the jump host.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, write_only)]
    pub jump_private_key: Option<Option<SecretString>>,
    /// Passphrase of `jump_private_key`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, write_only)]
    pub jump_passphrase: Option<Option<SecretString>>,
    /// Password of the login on the jump host.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, write_only)]
    pub jump_password: Option<Option<SecretString>>,
}

/// Tells `null` (present, removes) from absence (keeps).
fn present<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Option<SecretString>>, D::Error> {
    Option::deserialize(d).map(Some)
}

impl CredentialsPatch {
    fn changes(&self) -> [(&'static str, &Option<Option<SecretString>>); 6] {
        [
            ("private_key", &self.private_key),
            ("passphrase", &self.passphrase),
            ("password", &self.password),
            ("jump_private_key", &self.jump_private_key),
            ("jump_passphrase", &self.jump_passphrase),
            ("jump_password", &self.jump_password),
        ]
    }

    /// The credentials after the changes.
    pub(super) fn applied_to(&self, before: SshCredentials) -> SshCredentials {
        let mut after = SshCredentials::default();
        let changes = self.changes();
        for (field, old) in before.fields() {
            let change = changes
                .iter()
                .find(|(name, _)| *name == field)
                .and_then(|(_, change)| change.as_ref());
            let value = match change {
                Some(new) => new.as_ref(),
                None => old,
            };
            if let Some(value) = value {
                after.set(field, value.clone());
            }
        }
        after
    }
}

/// Seals and stores every field that is set; an empty one counts as not set.
pub(super) async fn store(
    conn: &mut PgConnection,
    key: &DataKey,
    tenant_id: &TenantId,
    source_id: &SourceId,
    credentials: &SshCredentials,
) -> Result<(), ActionError> {
    for (field, value) in credentials.fields() {
        let Some(value) = value.filter(|value| !value.expose_secret().is_empty()) else {
            continue;
        };
        let sealed = key.seal(&binding(tenant_id, source_id, field), value.expose_secret().as_bytes());
        let fingerprint = match field {
            "private_key" | "jump_private_key" => ssh_key::fingerprint(value),
            _ => None,
        };
        source_credentials::set(conn, tenant_id, source_id, field, &sealed, fingerprint.as_deref()).await?;
    }
    Ok(())
}

/// Stores what `changes` changed; `after` are the credentials with them applied.
pub(super) async fn store_changes(
    conn: &mut PgConnection,
    key: &DataKey,
    tenant_id: &TenantId,
    source_id: &SourceId,
    changes: &CredentialsPatch,
    after: &SshCredentials,
) -> Result<(), ActionError> {
    let mut changed = SshCredentials::default();
    for (field, change) in changes.changes() {
        if change.is_none() {
            continue;
        }
        source_credentials::unset(conn, tenant_id, source_id, field).await?;
        let value = after
            .fields()
            .into_iter()
            .find(|(name, _)| *name == field)
            .and_then(|(_, value)| value);
        if let Some(value) = value {
            changed.set(field, value.clone());
        }
    }
    store(conn, key, tenant_id, source_id, &changed).await
}

/// The credentials of a source in clear.
pub(super) async fn open(
    conn: &mut PgConnection,
    key: &DataKey,
    tenant_id: &TenantId,
    source_id: &SourceId,
) -> Result<SshCredentials, ActionError> {
    let mut credentials = SshCredentials::default();
    for (field, sealed) in source_credentials::sealed(conn, tenant_id, source_id).await? {
        let value = key.open_text(&binding(tenant_id, source_id, &field), &sealed)?;
        if !credentials.set(&field, value) {
            return Err(ActionError::internal(format!(
                "source {source_id} has an unknown credential {field:?}"
            )));
        }
    }
    Ok(credentials)
}

fn binding<'a>(tenant_id: &'a TenantId, source_id: &'a SourceId, field: &'a str) -> Binding<'a> {
    Binding {
        tenant_id,
        row: source_id.as_str(),
        field,
    }
}
