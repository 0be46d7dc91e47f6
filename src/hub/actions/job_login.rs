//! A login for one job only: sealed to that job, handed to the worker that holds it, gone when the job ends.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sqlx::PgConnection;

use super::ActionError;
use crate::{
    crypto::envelope::{Binding, DataKey},
    db::job_credentials,
    domain::{
        ids::{JobId, TenantId},
        source::{CredentialField, Credentials},
    },
};

/// The fields that open the login itself; those of hosts on the way stay the source's.
const LOGIN: [CredentialField; 3] = [
    CredentialField::PrivateKey,
    CredentialField::Passphrase,
    CredentialField::Password,
];

/// Another login, for one job only. What is absent is the source's own.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobLogin {
    /// Login name.
    #[serde(default)]
    pub user: Option<String>,
    /// OpenSSH or PEM private key.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub private_key: Option<SecretString>,
    /// Passphrase of `private_key`.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub passphrase: Option<SecretString>,
    /// Password.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub password: Option<SecretString>,
}

impl JobLogin {
    /// The secrets in it; an empty one counts as not given.
    pub fn credentials(&self) -> Credentials {
        let mut credentials = Credentials::default();
        for (field, value) in LOGIN
            .into_iter()
            .zip([&self.private_key, &self.passphrase, &self.password])
        {
            if let Some(value) = value {
                credentials.set(field, value.clone());
            }
        }
        credentials
    }
}

/// `own` with the login replaced by what was `given`, if anything was.
pub(super) fn over(mut own: Credentials, given: &Credentials) -> Credentials {
    if given.iter().next().is_some() {
        for field in LOGIN {
            own.unset(field);
        }
    }
    for (field, value) in given.iter() {
        own.set(field, value.clone());
    }
    own
}

/// Seals and stores what was given, in the transaction that orders the job.
pub(super) async fn store(
    conn: &mut PgConnection,
    key: &DataKey,
    tenant_id: &TenantId,
    job_id: &JobId,
    given: &Credentials,
) -> Result<(), ActionError> {
    for (field, value) in given.iter() {
        let sealed = key.seal(&binding(tenant_id, job_id, field), value.expose_secret().as_bytes());
        job_credentials::insert(conn, tenant_id, job_id, field.as_str(), &sealed).await?;
    }
    Ok(())
}

/// What was given for a job, in clear.
pub(super) async fn open(
    conn: &mut PgConnection,
    key: &DataKey,
    tenant_id: &TenantId,
    job_id: &JobId,
) -> Result<Credentials, ActionError> {
    let mut given = Credentials::default();
    for (field, sealed) in job_credentials::sealed(conn, tenant_id, job_id).await? {
        let field: CredentialField = field
            .parse()
            .map_err(|error| ActionError::internal(format!("job {job_id}: {error}")))?;
        given.set(field, key.open_text(&binding(tenant_id, job_id, field), &sealed)?);
    }
    Ok(given)
}

fn binding<'a>(tenant_id: &'a TenantId, job_id: &'a JobId, field: CredentialField) -> Binding<'a> {
    Binding {
        tenant_id,
        row: job_id.as_str(),
        field: field.as_str(),
    }
}
