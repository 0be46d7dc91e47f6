//! The master key: is it the right one, and changing it.

use sqlx::PgConnection;

use super::ActionError;
use crate::{
    crypto::{envelope::MasterKey, tokens},
    db::{
        audit_log::{self, Deed},
        master_key, tenant_keys,
    },
};

const WRONG: &str = "the master key is not the one this database was set up with; \
     start with the right one (XVAULT_MASTER_KEY or XVAULT_MASTER_KEY_FILE)";

/// Refuses a master key that does not open this database. The first one ever used is taken as right.
pub async fn check(conn: &mut PgConnection, key: &MasterKey) -> Result<(), ActionError> {
    let stored = master_key::get_or_set(conn, &key.check_value()).await?;
    if tokens::matches(&stored, &key.check_value()) {
        Ok(())
    } else {
        Err(ActionError::Conflict(WRONG.into()))
    }
}

/// Wraps every tenant's data key with `new` instead of `old`, in the caller's transaction; nothing else is
/// encrypted anew. Returns how many. Hubs that still run with the old key can open nothing any more after the
/// commit: restart them with the new one.
pub async fn rotate(conn: &mut PgConnection, old: &MasterKey, new: &MasterKey) -> Result<usize, ActionError> {
    let stored = master_key::lock(conn).await?;
    let stored = stored
        .ok_or_else(|| ActionError::Conflict("no hub was ever started here; there is nothing to rotate".into()))?;
    if !tokens::matches(&stored, &old.check_value()) {
        return Err(ActionError::Conflict(WRONG.into()));
    }
    if tokens::matches(&stored, &new.check_value()) {
        return Err(ActionError::Conflict("the new master key is the old one".into()));
    }
    let keys = tenant_keys::lock_all(conn).await?;
    for (tenant, wrapped) in &keys {
        let key = old.unwrap_data_key(tenant, wrapped)?;
        tenant_keys::rewrap(conn, tenant, &new.wrap_data_key(tenant, &key)).await?;
    }
    master_key::replace(conn, &new.check_value()).await?;
    let deed = Deed {
        tenant_id: None,
        actor: "operator",
        action: "master_key.rotate",
        target: None,
    };
    audit_log::record(conn, &deed).await?;
    Ok(keys.len())
}
