//! Who did what that matters for security. Written in the transaction of the deed.

use sqlx::PgConnection;

use super::DbError;
use crate::domain::ids::TenantId;

/// Something to remember.
#[derive(Debug, Clone, Copy)]
pub struct Deed<'a> {
    /// Where; `None` for the platform as a whole.
    pub tenant_id: Option<&'a TenantId>,
    /// User id, API key id, or `operator` for the command line.
    pub actor: &'a str,
    /// For example `source.delete`.
    pub action: &'a str,
    /// Id of what it was done to.
    pub target: Option<&'a str>,
}

/// Remembers a deed.
pub async fn record(conn: &mut PgConnection, deed: &Deed<'_>) -> Result<(), DbError> {
    sqlx::query("insert into audit_log (tenant_id, actor, action, target) values ($1, $2, $3, $4)")
        .bind(deed.tenant_id)
        .bind(deed.actor)
        .bind(deed.action)
        .bind(deed.target)
        .execute(conn)
        .await?;
    Ok(())
}
