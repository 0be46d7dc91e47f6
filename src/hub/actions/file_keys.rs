//! The keys of single artifact files. The tenant's identity is opened here and goes no further.

use sqlx::PgConnection;

use super::ActionError;
use crate::{
    crypto::{
        age_keys::{FileKey, TenantIdentity, unwrap_file_key},
        envelope::{Binding, DataKey},
    },
    db::age_keys::{self, AgeKey},
    domain::ids::{KeyId, TenantId},
    hub::Hub,
};

/// What a sealed identity is bound to.
pub(super) fn binding<'a>(tenant_id: &'a TenantId, key_id: &'a KeyId) -> Binding<'a> {
    Binding {
        tenant_id,
        row: key_id.as_str(),
        field: "age_identity",
    }
}

/// The identities of a tenant that xVault holds, newest first; with their recipients.
pub(super) async fn identities(
    conn: &mut PgConnection,
    key: &DataKey,
    tenant_id: &TenantId,
) -> Result<Vec<(String, TenantIdentity)>, ActionError> {
    let mut identities = Vec::new();
    for AgeKey {
        id,
        recipient,
        sealed_identity,
    } in age_keys::all(conn, tenant_id).await?
    {
        let Some(sealed) = sealed_identity else { continue };
        let secret = key.open_text(&binding(tenant_id, &id), &sealed)?;
        identities.push((
            recipient,
            TenantIdentity::from_secret(&secret).map_err(ActionError::internal)?,
        ));
    }
    Ok(identities)
}

/// The file keys behind some age headers of one snapshot; `None` if the tenant keeps its keys itself.
pub(super) async fn of_headers<const N: usize>(
    conn: &mut PgConnection,
    hub: &Hub,
    tenant_id: &TenantId,
    headers: [&[u8]; N],
) -> Result<Option<[FileKey; N]>, ActionError> {
    let key = hub.data_key(conn, tenant_id).await?;
    for (_, identity) in identities(conn, &key, tenant_id).await? {
        let keys: Result<Vec<FileKey>, _> = headers
            .iter()
            .map(|header| unwrap_file_key(&identity, header))
            .collect();
        // Another identity's file: try the next one.
        if let Ok(keys) = keys.map(<[FileKey; N]>::try_from) {
            return Ok(keys.ok());
        }
    }
    Ok(None)
}
