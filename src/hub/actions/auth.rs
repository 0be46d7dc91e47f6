//! Signing in and staying signed in.
//!
//! API clients get an access token for minutes and a refresh token that is exchanged at every use; a
//! browser gets a cookie. Either is a row in `sessions`, and what it may do is read at every request.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{ActionError, Actor, Via, email};
use crate::{
    crypto::{jwt, password, tokens},
    db::{
        api_keys, memberships,
        sessions::{self, LiveSession, NewSession, SessionKind},
        users,
    },
    domain::ids::{SessionId, UserId},
    hub::Hub,
};

/// How long a refresh token works; every exchange begins it anew.
const API_SESSION: TimeDelta = TimeDelta::days(30);

/// How long a browser stays signed in.
const BROWSER_SESSION: TimeDelta = TimeDelta::days(7);

/// What every API key starts with.
pub const API_KEY_PREFIX: &str = "xvk_";

const WRONG: ActionError = ActionError::Unauthenticated("the e-mail address or the password is wrong");
const OVER: ActionError = ActionError::Unauthenticated("the session is over; sign in again");

/// What somebody signs in with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// In any letter case.
    pub email: String,
    /// As typed.
    pub password: SecretString,
}

/// What an API client gets.
#[derive(Debug)]
pub struct Tokens {
    /// A JWT.
    pub access_token: SecretString,
    /// Seconds it works.
    pub expires_in: i64,
    /// Good for one exchange.
    pub refresh_token: SecretString,
}

/// What a browser gets.
#[derive(Debug)]
pub struct BrowserSession {
    /// The cookie's value.
    pub cookie: SecretString,
    /// The cookie's end.
    pub expires_at: DateTime<Utc>,
}

/// Signs an API client in.
pub async fn login(hub: &Hub, credentials: &Credentials, from: IpAddr) -> Result<Tokens, ActionError> {
    let user = check_password(hub, credentials, from).await?;
    let refresh_token = tokens::generate("xvr_");
    let session = open_session(hub, &user, SessionKind::Api, &refresh_token, API_SESSION).await?;
    issue(hub, &user, &session.id, refresh_token)
}

/// Signs a browser in.
pub async fn sign_in_browser(
    hub: &Hub,
    credentials: &Credentials,
    from: IpAddr,
) -> Result<BrowserSession, ActionError> {
    let user = check_password(hub, credentials, from).await?;
    let cookie = tokens::generate("xvb_");
    let session = open_session(hub, &user, SessionKind::Browser, &cookie, BROWSER_SESSION).await?;
    let expires_at = session.expires_at;
    Ok(BrowserSession { cookie, expires_at })
}

/// Exchanges a refresh token. One that was exchanged before ends its whole session: either the client or
/// a thief holds a stale copy, and nobody can tell which.
pub async fn refresh(hub: &Hub, refresh_token: &SecretString) -> Result<Tokens, ActionError> {
    let (old_hash, now) = (tokens::hash(refresh_token), hub.clock.now());
    let mut tx = hub.begin().await?;
    if let Some(session) = sessions::by_secret(&mut tx, SessionKind::Api, &old_hash, now).await? {
        let fresh = tokens::generate("xvr_");
        let until = now + API_SESSION;
        if sessions::rotate(&mut tx, &session.id, &old_hash, &tokens::hash(&fresh), now, until).await? {
            hub.commit(tx).await?;
            return issue(hub, &session.user_id, &session.id, fresh);
        }
    }
    if let Some(session) = sessions::end_by_spent(&mut tx, &old_hash).await? {
        tracing::warn!(%session, "a refresh token was used twice; its session is ended");
    }
    hub.commit(tx).await?;
    Err(OVER)
}

/// Ends the session of a refresh token; an unknown one is no error.
pub async fn logout(hub: &Hub, refresh_token: &SecretString) -> Result<(), ActionError> {
    let mut conn = hub.connection().await?;
    let hash = tokens::hash(refresh_token);
    if let Some(session) = sessions::by_secret(&mut conn, SessionKind::Api, &hash, hub.clock.now()).await? {
        sessions::end(&mut conn, &session.id).await?;
    }
    Ok(())
}

/// Ends the session an actor came with; an API key stays what it is.
pub async fn sign_out(hub: &Hub, actor: &Actor) -> Result<(), ActionError> {
    match &actor.via {
        Via::Browser(session) | Via::AccessToken(session) => {
            Ok(sessions::end(&mut *hub.connection().await?, session).await?)
        }
        Via::ApiKey(_) => Ok(()),
    }
}

/// Who sends this access token or API key.
pub async fn bearer_actor(hub: &Hub, token: &SecretString) -> Result<Actor, ActionError> {
    let now = hub.clock.now();
    if token.expose_secret().starts_with(API_KEY_PREFIX) {
        let key = api_keys::authenticate(&mut *hub.connection().await?, &tokens::hash(token), now).await?;
        let key = key.ok_or(ActionError::Unauthenticated(
            "the API key is unknown, expired or deleted",
        ))?;
        return Ok(Actor {
            tenant_id: key.tenant_id,
            user_id: key.user_id,
            role: if key.maker_role.includes(key.role) {
                key.role
            } else {
                key.maker_role
            },
            platform_admin: false,
            via: Via::ApiKey(key.id),
        });
    }
    let claims = hub.keys.access_tokens.read(token.expose_secret(), now);
    let claims = claims.ok_or(ActionError::Unauthenticated("the access token is invalid or expired"))?;
    let session = sessions::api_session(&mut *hub.connection().await?, &claims.sid, &claims.sub, now).await?;
    Ok(actor(session.ok_or(OVER)?, Via::AccessToken))
}

/// Who sends this cookie; `None` if it is dead.
pub async fn browser_actor(hub: &Hub, cookie: &SecretString) -> Result<Option<Actor>, ActionError> {
    let (hash, now) = (tokens::hash(cookie), hub.clock.now());
    let session = sessions::by_secret(&mut *hub.connection().await?, SessionKind::Browser, &hash, now).await?;
    Ok(session.map(|session| actor(session, Via::Browser)))
}

fn actor(session: LiveSession, via: fn(SessionId) -> Via) -> Actor {
    Actor {
        tenant_id: session.tenant_id,
        user_id: session.user_id,
        role: session.role,
        platform_admin: session.platform_admin,
        via: via(session.id),
    }
}

/// The user, if the password is right. An unknown address costs the same time as a wrong password.
async fn check_password(hub: &Hub, credentials: &Credentials, from: IpAddr) -> Result<UserId, ActionError> {
    let email = email::normalise(&credentials.email).ok_or(WRONG)?;
    hub.login_limits
        .take(&email, from, hub.clock.now())
        .map_err(|retry_after_s| ActionError::RateLimited { retry_after_s })?;
    let user = users::by_email(&mut *hub.connection().await?, &email).await?;
    let hash = user.as_ref().and_then(|user| user.password_hash.clone());
    let right = credentials.password.expose_secret().len() <= password::MAX_BYTES && {
        let password = credentials.password.clone();
        hub.hashing(move || password::verify(&password, hash.as_deref()))
            .await?
    };
    match user {
        Some(user) if right => {
            hub.login_limits.give_back(&email, from);
            Ok(user.id)
        }
        _ => Err(WRONG),
    }
}

async fn open_session(
    hub: &Hub,
    user: &UserId,
    kind: SessionKind,
    secret: &SecretString,
    lifetime: TimeDelta,
) -> Result<NewSession, ActionError> {
    let mut tx = hub.begin().await?;
    let tenant_id = memberships::first_of(&mut tx, user).await?;
    let tenant_id = tenant_id.ok_or(ActionError::Unauthenticated(
        "you are not a member of any tenant (any more)",
    ))?;
    let session = NewSession {
        id: SessionId::generate(),
        tenant_id,
        user_id: user.clone(),
        kind,
        secret_hash: tokens::hash(secret),
        expires_at: hub.clock.now() + lifetime,
    };
    sessions::insert(&mut tx, &session).await?;
    hub.commit(tx).await?;
    Ok(session)
}

fn issue(hub: &Hub, user: &UserId, session: &SessionId, refresh_token: SecretString) -> Result<Tokens, ActionError> {
    let access_token = hub.keys.access_tokens.issue(user, session, hub.clock.now());
    Ok(Tokens {
        access_token: access_token.map_err(ActionError::internal)?,
        expires_in: jwt::LIFETIME.num_seconds(),
        refresh_token,
    })
}
