//! What opens a source. Goes in and never comes out, except towards the worker that holds a job.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::SourceKind;
use crate::domain::field_error::FieldError;

/// Longest credential, in bytes.
const MAX_LENGTH: usize = 64 * 1024;

/// One secret of a source. Its name is what the AEAD binds, so a name never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialField {
    /// OpenSSH or PEM private key.
    PrivateKey,
    /// Passphrase of `private_key`.
    Passphrase,
    /// Password of the login.
    Password,
    /// Private key for the jump host.
    JumpPrivateKey,
    /// Passphrase of `jump_private_key`.
    JumpPassphrase,
    /// Password of the login on the jump host.
    JumpPassword,
    /// Private key for the SSH host that a database is reached over.
    SshPrivateKey,
    /// Passphrase of `ssh_private_key`.
    SshPassphrase,
    /// Password of the login on that host.
    SshPassword,
}

impl CredentialField {
    /// Every field, of whatever kind of source.
    pub const ALL: &'static [Self] = &[
        Self::PrivateKey,
        Self::Passphrase,
        Self::Password,
        Self::JumpPrivateKey,
        Self::JumpPassphrase,
        Self::JumpPassword,
        Self::SshPrivateKey,
        Self::SshPassphrase,
        Self::SshPassword,
    ];

    /// The stable text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PrivateKey => "private_key",
            Self::Passphrase => "passphrase",
            Self::Password => "password",
            Self::JumpPrivateKey => "jump_private_key",
            Self::JumpPassphrase => "jump_passphrase",
            Self::JumpPassword => "jump_password",
            Self::SshPrivateKey => "ssh_private_key",
            Self::SshPassphrase => "ssh_passphrase",
            Self::SshPassword => "ssh_password",
        }
    }

    /// The private key whose passphrase this is.
    pub fn key_of_passphrase(self) -> Option<Self> {
        match self {
            Self::Passphrase => Some(Self::PrivateKey),
            Self::JumpPassphrase => Some(Self::JumpPrivateKey),
            Self::SshPassphrase => Some(Self::SshPrivateKey),
            _ => None,
        }
    }

    /// True for a private key: it has lines, and a fingerprint.
    pub fn is_private_key(self) -> bool {
        matches!(self, Self::PrivateKey | Self::JumpPrivateKey | Self::SshPrivateKey)
    }

    /// True for what belongs to a host on the way: a jump host, or the SSH host that a database is reached over.
    pub fn is_of_host_between(self) -> bool {
        matches!(
            self,
            Self::JumpPrivateKey
                | Self::JumpPassphrase
                | Self::JumpPassword
                | Self::SshPrivateKey
                | Self::SshPassphrase
                | Self::SshPassword
        )
    }
}

impl std::str::FromStr for CredentialField {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|field| field.as_str() == text);
        found.ok_or_else(|| format!("unknown credential {text:?}"))
    }
}

impl SourceKind {
    /// The credentials that a source of this kind may have.
    pub fn credentials(self) -> &'static [CredentialField] {
        match self {
            Self::Ssh | Self::Sftp | Self::Wordpress => &[
                CredentialField::PrivateKey,
                CredentialField::Passphrase,
                CredentialField::Password,
                CredentialField::JumpPrivateKey,
                CredentialField::JumpPassphrase,
                CredentialField::JumpPassword,
            ],
            Self::Mysql | Self::Postgres => &[
                CredentialField::Password,
                CredentialField::SshPrivateKey,
                CredentialField::SshPassphrase,
                CredentialField::SshPassword,
            ],
            Self::Ftp => &[CredentialField::Password],
        }
    }
}

/// The secrets of one source, by field. An empty one counts as not set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Credentials(BTreeMap<CredentialField, SecretString>);

impl Credentials {
    /// One secret.
    pub fn get(&self, field: CredentialField) -> Option<&SecretString> {
        self.0.get(&field).filter(|value| !value.expose_secret().is_empty())
    }

    /// Sets one secret.
    pub fn set(&mut self, field: CredentialField, value: SecretString) {
        self.0.insert(field, value);
    }

    /// Removes one secret.
    pub fn unset(&mut self, field: CredentialField) {
        self.0.remove(&field);
    }

    /// Those that are set.
    pub fn iter(&self) -> impl Iterator<Item = (CredentialField, &SecretString)> {
        CredentialField::ALL
            .iter()
            .filter_map(|&field| Some((field, self.get(field)?)))
    }

    /// Faults of single secrets, and secrets that a source of `kind` has no use for.
    pub fn validate(&self, kind: SourceKind) -> Vec<FieldError> {
        let fault = |field: CredentialField, value: &str| {
            if !kind.credentials().contains(&field) {
                Some(format!("is of no use for a source of kind {}", kind.as_str()))
            } else if value.len() > MAX_LENGTH {
                Some("is longer than 64 KiB".to_owned())
            } else if value.contains('\0') {
                Some("has a NUL byte".to_owned())
            } else if !field.is_private_key() && value.contains(['\r', '\n']) {
                Some("has a line break".to_owned())
            } else {
                None
            }
        };
        let faults = self.iter().filter_map(|(field, value)| {
            let fault = fault(field, value.expose_secret())?;
            Some(FieldError::new(format!("/credentials/{}", field.as_str()), fault))
        });
        faults.collect()
    }
}
