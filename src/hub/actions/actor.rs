//! Who asks, and what they may do.

use super::ActionError;
use crate::domain::{
    ids::{KeyId, SessionId, TenantId, UserId},
    user::Role,
};

/// A known caller in one tenant. Every action takes one and stays inside its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The tenant acted in.
    pub tenant_id: TenantId,
    /// The person; for an API key, whoever made it.
    pub user_id: UserId,
    /// What they may do there.
    pub role: Role,
    /// May manage tenants and see workers. Never true for an API key.
    pub platform_admin: bool,
    /// How they came in.
    pub via: Via,
}

/// How an actor proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// A browser's cookie.
    Browser(SessionId),
    /// An access token of an API session.
    AccessToken(SessionId),
    /// An API key.
    ApiKey(KeyId),
}

impl Actor {
    /// Refuses whoever has less than `wanted`.
    pub fn require(&self, wanted: Role) -> Result<(), ActionError> {
        if self.role.includes(wanted) {
            return Ok(());
        }
        let (have, detail) = (self.role, "your role in this tenant is");
        Err(ActionError::Forbidden(format!(
            "this needs the role {wanted}; {detail} {have}"
        )))
    }

    /// Refuses whoever is not the platform's administrator.
    pub fn require_platform_admin(&self) -> Result<(), ActionError> {
        if self.platform_admin {
            return Ok(());
        }
        Err(ActionError::Forbidden(
            "this is for administrators of the whole platform, signed in as a person".into(),
        ))
    }

    /// The id that stands for this actor in the audit log and for idempotency keys.
    pub fn name(&self) -> &str {
        match &self.via {
            Via::ApiKey(key) => key.as_str(),
            Via::Browser(_) | Via::AccessToken(_) => self.user_id.as_str(),
        }
    }
}
