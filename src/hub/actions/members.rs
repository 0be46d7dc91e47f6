//! Members of a tenant: add, change, remove.

use secrecy::SecretString;
use serde::Deserialize;
use sqlx::PgConnection;

use super::{ActionError, Actor, List, ListQuery, audit, email, error::conflict_on, invitations};
use crate::{
    crypto::password,
    db::{
        memberships::{self, Member},
        sessions,
        users::{self, User},
    },
    domain::{field_error::FieldError, ids::UserId, user::Role},
    hub::{
        Hub,
        views::{MemberCreated, MemberView},
    },
};

/// Somebody to add.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Signs in with this.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// Their first password. Without it the answer carries an invitation link.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub password: Option<SecretString>,
}

/// What to change of a member.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberPatch {
    /// What they may do from now on.
    pub role: Role,
}

/// Adds a member.
pub async fn create(hub: &Hub, actor: &Actor, new: NewMember) -> Result<MemberCreated, ActionError> {
    actor.require(Role::Owner)?;
    let address = email::normalise(&new.email);
    let mut faults = Vec::new();
    if address.is_none() {
        faults.push(FieldError::new("/email", "is not an e-mail address"));
    }
    if let Some(fault) = new.password.as_ref().and_then(password::fault) {
        faults.push(FieldError::new("/password", fault));
    }
    ActionError::unless_valid(faults)?;
    let address = address.unwrap_or_default();
    let invited = new.password.is_none();
    let hash = match new.password {
        Some(password) => Some(hub.hashing(move || password::hash(&password)).await?),
        None => None,
    };
    let mut tx = hub.begin().await?;
    let user_id = user(&mut tx, address, hash).await?;
    memberships::insert(&mut tx, &actor.tenant_id, &user_id, new.role)
        .await
        .map_err(|error| conflict_on(error, memberships::ONCE, "this person is a member already"))?;
    let invitation_url = match invited {
        true => Some(invitations::create(&mut tx, hub, actor, &user_id).await?),
        false => None,
    };
    audit::record(&mut tx, actor, "member.create", Some(user_id.as_str())).await?;
    let member = find(&mut tx, actor, &user_id).await?;
    hub.commit(tx).await?;
    Ok(MemberCreated {
        member: view(member),
        invitation_url,
    })
}

/// The user with this address, made if there is none. Nobody sets the password of somebody who exists.
async fn user(conn: &mut PgConnection, email: String, password_hash: Option<String>) -> Result<UserId, ActionError> {
    const EXISTS: &str = "somebody signs in with this e-mail address already; add them without a password";
    match users::by_email(conn, &email).await? {
        Some(user) if password_hash.is_none() => Ok(user.id),
        Some(_) => Err(ActionError::Conflict(EXISTS.into())),
        None => {
            let user = User {
                id: UserId::generate(),
                email,
                password_hash,
                platform_admin: false,
            };
            users::insert(conn, &user)
                .await
                .map_err(|error| conflict_on(error, users::EMAIL_UNIQUE, EXISTS))?;
            Ok(user.id)
        }
    }
}

/// Members of the tenant.
pub async fn list(hub: &Hub, actor: &Actor, query: &ListQuery) -> Result<List<MemberView>, ActionError> {
    actor.require(Role::Owner)?;
    let page = query.page::<UserId>()?;
    let rows = memberships::list(&mut *hub.connection().await?, &actor.tenant_id, &page).await?;
    Ok(List::cut(rows, query, |member| member.user_id.as_str()).map(view))
}

/// Changes what a member may do, from their next request on.
pub async fn update(hub: &Hub, actor: &Actor, id: &UserId, patch: MemberPatch) -> Result<MemberView, ActionError> {
    actor.require(Role::Owner)?;
    let mut tx = hub.begin().await?;
    if patch.role != Role::Owner {
        keep_an_owner(&mut tx, actor, id).await?;
    }
    find(&mut tx, actor, id).await?;
    memberships::set_role(&mut tx, &actor.tenant_id, id, patch.role).await?;
    audit::record(&mut tx, actor, "member.update", Some(id.as_str())).await?;
    let member = find(&mut tx, actor, id).await?;
    hub.commit(tx).await?;
    Ok(view(member))
}

/// Removes a member: their sessions here and the API keys they made end at once.
pub async fn delete(hub: &Hub, actor: &Actor, id: &UserId) -> Result<(), ActionError> {
    actor.require(Role::Owner)?;
    let mut tx = hub.begin().await?;
    keep_an_owner(&mut tx, actor, id).await?;
    find(&mut tx, actor, id).await?;
    memberships::delete(&mut tx, &actor.tenant_id, id).await?;
    users::delete_if_orphaned(&mut tx, id).await?;
    audit::record(&mut tx, actor, "member.delete", Some(id.as_str())).await?;
    hub.commit(tx).await
}

/// Sets somebody's password and ends their sessions, for the operator at the command line.
pub async fn reset_password(conn: &mut PgConnection, email: &str, new: &SecretString) -> Result<(), ActionError> {
    if let Some(fault) = password::fault(new) {
        return Err(ActionError::invalid("/password", fault));
    }
    let email = email::normalise(email).ok_or(ActionError::NotFound("user"))?;
    let user = users::by_email(conn, &email)
        .await?
        .ok_or(ActionError::NotFound("user"))?;
    users::set_password(conn, &user.id, &password::hash(new)).await?;
    sessions::end_all_of(conn, &user.id).await?;
    Ok(())
}

async fn keep_an_owner(conn: &mut PgConnection, actor: &Actor, id: &UserId) -> Result<(), ActionError> {
    let owners = memberships::lock_owners(conn, &actor.tenant_id).await?;
    if owners.iter().all(|owner| owner == id) {
        return Err(ActionError::Conflict(
            "this is the tenant's last owner; make somebody else one first".into(),
        ));
    }
    Ok(())
}

async fn find(conn: &mut PgConnection, actor: &Actor, id: &UserId) -> Result<Member, ActionError> {
    let member = memberships::get(conn, &actor.tenant_id, id).await?;
    member.ok_or(ActionError::NotFound("member"))
}

fn view(member: Member) -> MemberView {
    MemberView {
        id: member.user_id,
        email: member.email,
        role: member.role,
        invited: member.invited,
        created_at: member.created_at,
    }
}
