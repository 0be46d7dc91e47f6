//! Invitations: a link with which somebody joins, and chooses a password if they have none.

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;

use super::{ActionError, Actor};
use crate::{
    crypto::{password, tokens},
    db::{
        audit_log::{self, Deed},
        invitations, users,
    },
    domain::ids::UserId,
    hub::Hub,
};

/// How long a link works.
const LIFETIME: TimeDelta = TimeDelta::days(7);

const DEAD: ActionError = ActionError::NotFound("invitation (any more); ask for a new one");

/// What is shown to whoever follows the link.
#[derive(Debug, Clone)]
pub struct InvitationView {
    /// Who is invited.
    pub email: String,
    /// Where to.
    pub tenant_name: String,
    /// True if they have to choose a password; somebody who has one keeps it.
    pub needs_password: bool,
}

/// Makes the link for a new member, `{hub}/invitations/{token}`.
pub(super) async fn create(
    conn: &mut PgConnection,
    hub: &Hub,
    actor: &Actor,
    user_id: &UserId,
) -> Result<String, ActionError> {
    let token = tokens::generate("xvi_");
    let expires_at = hub.clock.now() + LIFETIME;
    invitations::insert(conn, &actor.tenant_id, user_id, &tokens::hash(&token), expires_at).await?;
    let base = hub.settings.url.as_str().trim_end_matches('/');
    Ok(format!("{base}/invitations/{}", token.expose_secret()))
}

/// What an invitation is for.
pub async fn get(hub: &Hub, token: &SecretString) -> Result<InvitationView, ActionError> {
    let mut tx = hub.begin().await?;
    let invitation = invitations::lock_open(&mut tx, &tokens::hash(token), hub.clock.now()).await?;
    let invitation = invitation.ok_or(DEAD)?;
    let user = users::get(&mut tx, &invitation.user_id).await?.ok_or(DEAD)?;
    Ok(InvitationView {
        email: invitation.email,
        tenant_name: invitation.tenant_name,
        needs_password: user.password_hash.is_none(),
    })
}

/// Accepts an invitation. The password counts only for somebody who has none yet; the link dies.
pub async fn accept(hub: &Hub, token: &SecretString, password: Option<SecretString>) -> Result<(), ActionError> {
    let fault = password.as_ref().and_then(password::fault);
    let hash = match password {
        Some(password) if fault.is_none() => Some(hub.hashing(move || password::hash(&password)).await?),
        _ => None,
    };
    let mut tx = hub.begin().await?;
    let invitation = invitations::lock_open(&mut tx, &tokens::hash(token), hub.clock.now()).await?;
    let invitation = invitation.ok_or(DEAD)?;
    let user = users::get(&mut tx, &invitation.user_id).await?.ok_or(DEAD)?;
    if user.password_hash.is_none() {
        let missing = || "choose a password".to_owned();
        let hash = hash.ok_or_else(|| ActionError::invalid("/password", fault.unwrap_or_else(missing)))?;
        users::set_password(&mut tx, &user.id, &hash).await?;
    }
    invitations::set_used(&mut tx, &invitation.id, hub.clock.now()).await?;
    let deed = Deed {
        tenant_id: Some(&invitation.tenant_id),
        actor: user.id.as_str(),
        action: "invitation.accept",
        target: Some(invitation.id.as_str()),
    };
    audit_log::record(&mut tx, &deed).await?;
    hub.commit(tx).await
}
