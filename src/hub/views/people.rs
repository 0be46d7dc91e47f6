//! People, what they may do, and the keys they made.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{
    ids::{KeyId, TenantId, UserId},
    user::Role,
};

/// Who the caller is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MeView {
    /// The person; for an API key, whoever made it.
    pub user: UserRef,
    /// The tenant they act in.
    pub tenant: TenantRef,
    /// What they may do there.
    pub role: Role,
}

/// A person.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserRef {
    /// Their id.
    pub id: UserId,
    /// Their e-mail address, in lower case.
    pub email: String,
    /// May manage tenants and see workers.
    pub platform_admin: bool,
}

/// A tenant by name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TenantRef {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// When the owner downloaded the recovery sheet; until then they should.
    pub recovery_sheet_at: Option<DateTime<Utc>>,
}

/// A tenant as the platform's administrator sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TenantView {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A member of a tenant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MemberView {
    /// The user's id.
    pub id: UserId,
    /// Their e-mail address.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// True while they have not accepted their invitation.
    pub invited: bool,
    /// When they joined.
    pub created_at: DateTime<Utc>,
}

/// A member just added.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MemberCreated {
    /// The member.
    #[serde(flatten)]
    pub member: MemberView,
    /// Where they choose their password; shown once, valid for seven days. Absent for somebody who has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invitation_url: Option<String>,
}

/// An API key, without the key.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ApiKeyView {
    /// Its id.
    pub id: KeyId,
    /// What it is for.
    pub name: String,
    /// The most it may do; never more than whoever made it.
    pub role: Role,
    /// Who made it.
    pub created_by: UserId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Dead from then on.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// An API key just made.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ApiKeyCreated {
    /// What is known of it from now on.
    #[serde(flatten)]
    pub view: ApiKeyView,
    /// The key itself, `xvk_…`; shown once.
    pub key: String,
}
