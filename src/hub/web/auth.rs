//! Who sends a request to the API.

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::Response,
};
use secrecy::SecretString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::error::ApiError;
use crate::hub::{
    Hub,
    actions::{ActionError, Actor, auth},
};

/// The token of an `Authorization: Bearer` header.
pub(super) fn bearer(headers: &HeaderMap) -> Result<SecretString, ApiError> {
    const MISSING: ActionError =
        ActionError::Unauthenticated("send an access token or an API key as Authorization: Bearer");
    let value = headers.get(header::AUTHORIZATION).ok_or(MISSING)?;
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or(MISSING)?;
    if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() {
        Ok(token.trim().into())
    } else {
        Err(MISSING.into())
    }
}

/// Finds out who asks, before anything else looks at the request.
pub(super) async fn require_actor(
    State(hub): State<Hub>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let actor = auth::bearer_actor(&hub, &bearer(request.headers())?).await?;
    request.extensions_mut().insert(actor);
    Ok(next.run(request).await)
}

/// The caller, found by [`require_actor`].
#[derive(Debug)]
pub struct Caller(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let actor = parts.extensions.get::<Actor>().cloned();
        let actor = actor.ok_or_else(|| ActionError::internal("a route of the API has no require_actor before it"))?;
        Ok(Self(actor))
    }
}

/// The address a request comes from; behind a proxy, the proxy's.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for PeerAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip())))
    }
}
