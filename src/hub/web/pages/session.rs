//! The cookie of a browser's session, and the tokens that prove a form is ours.
//!
//! They are made of the session's id; at the gate (sign-in, invitation) an id that stands in a cookie of its
//! own and is nobody's session takes its place.

use axum::http::{HeaderMap, HeaderValue};
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};

use super::{error::PageError, theme::cookie};
use crate::{
    domain::ids::SessionId,
    hub::{
        Hub,
        actions::{ActionError, Actor, Via, auth},
    },
};

const SESSION: &str = "xvault_session";
const GATE: &str = "xvault_gate";

/// Browsers take a `__Host-` cookie over TLS only, from this very host, and for all paths.
fn name(hub: &Hub, plain: &str) -> String {
    match hub.settings.is_https() {
        true => format!("__Host-{plain}"),
        false => plain.to_owned(),
    }
}

/// A cookie with every flag it should have.
pub fn set_cookie(hub: &Hub, name: &str, value: &str, max_age: TimeDelta) -> Result<HeaderValue, PageError> {
    let secure = if hub.settings.is_https() { "; Secure" } else { "" };
    let seconds = max_age.num_seconds();
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut value = HeaderValue::try_from(cookie).map_err(PageError::internal)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The cookie that keeps somebody signed in.
pub fn signed_in(hub: &Hub, session: &auth::BrowserSession) -> Result<HeaderValue, PageError> {
    let max_age = session.expires_at - hub.clock.now();
    set_cookie(hub, &name(hub, SESSION), session.cookie.expose_secret(), max_age)
}

/// Takes that cookie away.
pub fn signed_out(hub: &Hub) -> Result<HeaderValue, PageError> {
    set_cookie(hub, &name(hub, SESSION), "", TimeDelta::zero())
}

/// Who sends these headers.
pub async fn actor(hub: &Hub, headers: &HeaderMap) -> Result<Actor, ActionError> {
    const NOBODY: ActionError = ActionError::Unauthenticated("sign in first");
    let cookie = cookie(headers, &name(hub, SESSION)).ok_or(NOBODY)?;
    auth::browser_actor(hub, &SecretString::from(cookie))
        .await?
        .ok_or(NOBODY)
}

/// The token in the forms of somebody who is signed in.
pub fn csrf_token(hub: &Hub, actor: &Actor) -> Option<String> {
    browser_session(actor).map(|session| hub.keys.csrf_token(session))
}

/// True if a form carries that token.
pub fn csrf_matches(hub: &Hub, actor: &Actor, sent: &str) -> bool {
    browser_session(actor).is_some_and(|session| hub.keys.csrf_matches(session, sent))
}

fn browser_session(actor: &Actor) -> Option<&SessionId> {
    match &actor.via {
        Via::Browser(session) => Some(session),
        Via::AccessToken(_) | Via::ApiKey(_) => None,
    }
}

/// Token and cookie for a form at the gate.
pub fn gate(hub: &Hub, headers: &HeaderMap) -> Result<(String, HeaderValue), PageError> {
    let id = gate_id(hub, headers).unwrap_or_else(SessionId::generate);
    let cookie = set_cookie(hub, &name(hub, GATE), id.as_str(), TimeDelta::hours(12))?;
    Ok((hub.keys.csrf_token(&id), cookie))
}

/// True if a form at the gate carries the token that belongs to its cookie.
pub fn gate_matches(hub: &Hub, headers: &HeaderMap, sent: &str) -> bool {
    gate_id(hub, headers).is_some_and(|id| hub.keys.csrf_matches(&id, sent))
}

fn gate_id(hub: &Hub, headers: &HeaderMap) -> Option<SessionId> {
    cookie(headers, &name(hub, GATE))?.parse().ok()
}

/// Only a path of ours: `//elsewhere` and `/\elsewhere` lead away.
pub fn safe_path(next: &str) -> &str {
    let ours = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']);
    if ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_away() {
        for bad in ["", "https://evil", "//evil", "/\\evil", "javascript:x", "/a\r\nb"] {
            assert_eq!(safe_path(bad), "/", "{bad:?}");
        }
        assert_eq!(safe_path("/jobs?state=failed"), "/jobs?state=failed");
    }
}
