//! The first start: a tenant and a user to sign in with.

use secrecy::SecretString;

use super::{
    ActionError,
    tenants::{CheckedTenant, NewOwner, NewTenant, provision},
};
use crate::{db::users, hub::Hub};

/// Name of the first tenant.
const FIRST_TENANT: &str = "Main";

/// Makes a tenant and its owner, who also administrates the platform, if nobody exists yet. Returns
/// whether it did. Several hubs may start at once.
pub async fn first_user(hub: &Hub, email: &str, password: &SecretString) -> Result<bool, ActionError> {
    let mut tx = hub.begin().await?;
    if !users::lock_if_none(&mut tx).await? {
        return Ok(false);
    }
    let new = NewTenant {
        name: FIRST_TENANT.to_owned(),
        owner: NewOwner {
            email: email.to_owned(),
            password: password.clone(),
        },
    };
    let checked = hub.hashing(move || CheckedTenant::new(&new)).await??;
    provision(&mut tx, &hub.keys.master, checked, true, "operator").await?;
    hub.commit(tx).await?;
    Ok(true)
}
