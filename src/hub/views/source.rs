//! A source as its tenant sees it: everything but the credentials.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{
    ids::{SourceId, UserId},
    source::{PinnedIdentity, SourceConfig, SourceKind},
};

/// One server to back up.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SourceView {
    /// Its id.
    pub id: SourceId,
    /// Its name, unique in the tenant whatever the letter case.
    pub name: String,
    /// Decides how it is read.
    pub kind: SourceKind,
    /// Where and what; which fields there are depends on the kind.
    pub config: SourceConfig,
    /// Which credentials are set; never their values.
    pub credentials: Vec<CredentialView>,
    /// The approved identities.
    pub identity: IdentityView,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was deleted; its snapshots stay until they are deleted themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<DateTime<Utc>>,
}

/// A credential that is set.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CredentialView {
    /// `private_key`, `passphrase`, `password`, or the same with `jump_`.
    pub field: String,
    /// Of a private key: the fingerprint of its public half, if it can be read without the passphrase.
    pub fingerprint: Option<String>,
    /// When it was set.
    pub set_at: DateTime<Utc>,
}

/// The approved identities of a source.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IdentityView {
    /// The fingerprints.
    #[serde(flatten)]
    pub pinned: PinnedIdentity,
    /// Who approved last.
    pub approved_by: Option<UserId>,
    /// When.
    pub approved_at: Option<DateTime<Utc>>,
}
