//! Remembering who did what, in the transaction of the deed.

use sqlx::PgConnection;

use super::{ActionError, Actor};
use crate::db::audit_log::{self, Deed};

/// Remembers what an actor did in their tenant.
pub(super) async fn record(
    conn: &mut PgConnection,
    actor: &Actor,
    action: &str,
    target: Option<&str>,
) -> Result<(), ActionError> {
    let deed = Deed {
        tenant_id: Some(&actor.tenant_id),
        actor: actor.name(),
        action,
        target,
    };
    Ok(audit_log::record(conn, &deed).await?)
}
