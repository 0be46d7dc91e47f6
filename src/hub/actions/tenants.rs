//! Tenants: each begins with an owner, a data key and an age identity, in one transaction.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sqlx::PgConnection;

use super::{ActionError, Actor, List, ListQuery, email, error::conflict_on, file_keys, names};
use crate::{
    crypto::{
        age_keys::TenantIdentity,
        envelope::{DataKey, MasterKey},
        password,
    },
    db::{
        age_keys::{self, AgeKey},
        audit_log::{self, Deed},
        master_key, memberships, tenant_keys,
        tenants::{self, Tenant},
        users::{self, User},
    },
    domain::{
        field_error::FieldError,
        ids::{KeyId, TenantId, UserId},
        user::Role,
    },
    hub::{Hub, views::TenantView},
};

/// A tenant to make.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// Its name.
    pub name: String,
    /// Its first owner, who must be new to this platform.
    pub owner: NewOwner,
}

/// The first owner of a tenant.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOwner {
    /// Signs in with this.
    pub email: String,
    /// And with this.
    #[schema(value_type = String, write_only)]
    pub password: SecretString,
}

/// A tenant whose fields are acceptable and whose owner's password is hashed.
#[derive(Debug)]
pub struct CheckedTenant {
    name: String,
    owner_email: String,
    owner_password_hash: String,
}

impl CheckedTenant {
    /// Checks and hashes; takes tens of milliseconds of a core.
    pub fn new(new: &NewTenant) -> Result<Self, ActionError> {
        let mut faults = names::faults("/name", &new.name);
        let email = email::normalise(&new.owner.email);
        if email.is_none() {
            faults.push(FieldError::new("/owner/email", "is not an e-mail address"));
        }
        if let Some(fault) = password::fault(&new.owner.password) {
            faults.push(FieldError::new("/owner/password", fault));
        }
        ActionError::unless_valid(faults)?;
        Ok(Self {
            name: new.name.trim().to_owned(),
            owner_email: email.unwrap_or_default(),
            owner_password_hash: password::hash(&new.owner.password),
        })
    }
}

/// Makes a tenant.
pub async fn create(hub: &Hub, actor: &Actor, new: NewTenant) -> Result<TenantView, ActionError> {
    actor.require_platform_admin()?;
    let checked = hub.hashing(move || CheckedTenant::new(&new)).await??;
    let mut tx = hub.begin().await?;
    let tenant = provision(&mut tx, &hub.keys.master, checked, false, actor.name()).await?;
    hub.commit(tx).await?;
    Ok(view(tenant))
}

/// Every tenant.
pub async fn list(hub: &Hub, actor: &Actor, query: &ListQuery) -> Result<List<TenantView>, ActionError> {
    actor.require_platform_admin()?;
    let page = query.page::<TenantId>()?;
    let rows = tenants::list(&mut *hub.connection().await?, &page).await?;
    Ok(List::cut(rows, query, |tenant| tenant.id.as_str()).map(view))
}

/// Makes a tenant with its owner and its keys, in the caller's transaction.
pub async fn provision(
    conn: &mut PgConnection,
    master: &MasterKey,
    new: CheckedTenant,
    platform_admin: bool,
    by: &str,
) -> Result<Tenant, ActionError> {
    // A hub that runs on with the old key after a rotation must not wrap new keys with it.
    if !master_key::hold(conn, &master.check_value()).await? {
        return Err(ActionError::Unavailable(
            "the master key was rotated; this hub has to be restarted with the new one".into(),
        ));
    }
    let tenant = tenants::insert(conn, &TenantId::generate(), &new.name).await?;
    let key = DataKey::generate();
    tenant_keys::insert(conn, &tenant.id, &master.wrap_data_key(&tenant.id, &key)).await?;
    age_keys::insert(conn, &tenant.id, &age_key(&tenant.id, &key)).await?;
    let owner = User {
        id: UserId::generate(),
        email: new.owner_email,
        password_hash: Some(new.owner_password_hash),
        platform_admin,
    };
    users::insert(conn, &owner).await.map_err(|error| {
        conflict_on(
            error,
            users::EMAIL_UNIQUE,
            "there is a user with this e-mail address already",
        )
    })?;
    memberships::insert(conn, &tenant.id, &owner.id, Role::Owner).await?;
    let deed = Deed {
        tenant_id: Some(&tenant.id),
        actor: by,
        action: "tenant.create",
        target: Some(tenant.id.as_str()),
    };
    audit_log::record(conn, &deed).await?;
    Ok(tenant)
}

fn age_key(tenant_id: &TenantId, key: &DataKey) -> AgeKey {
    let (id, identity) = (KeyId::generate(), TenantIdentity::generate());
    let sealed = key.seal(
        &file_keys::binding(tenant_id, &id),
        identity.secret().expose_secret().as_bytes(),
    );
    AgeKey {
        recipient: identity.recipient(),
        sealed_identity: Some(sealed),
        id,
    }
}

fn view(tenant: Tenant) -> TenantView {
    TenantView {
        id: tenant.id,
        name: tenant.name,
        created_at: tenant.created_at,
    }
}
