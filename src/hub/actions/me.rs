//! Who the caller is.

use super::{ActionError, Actor};
use crate::{
    db::{tenants, users},
    hub::{
        Hub,
        views::{MeView, TenantRef, UserRef},
    },
};

/// The caller, their tenant and role.
pub async fn get(hub: &Hub, actor: &Actor) -> Result<MeView, ActionError> {
    const GONE: ActionError = ActionError::Unauthenticated("the user or the tenant is gone");
    let mut conn = hub.connection().await?;
    let user = users::get(&mut conn, &actor.user_id).await?.ok_or(GONE)?;
    let tenant = tenants::get(&mut conn, &actor.tenant_id).await?.ok_or(GONE)?;
    Ok(MeView {
        user: UserRef {
            id: user.id,
            email: user.email,
            platform_admin: actor.platform_admin,
        },
        tenant: TenantRef {
            id: tenant.id,
            name: tenant.name,
            recovery_sheet_at: tenant.recovery_sheet_at,
        },
        role: actor.role,
    })
}
