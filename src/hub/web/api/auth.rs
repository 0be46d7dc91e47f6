//! Signing in and out.

use axum::{Json, extract::State, http::StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::hub::{
    Hub,
    actions::auth::{self, Credentials, Tokens},
    web::{auth::PeerAddress, error::ApiError, extract::ApiJson},
};

pub(super) fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
}

/// What somebody signs in with.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    /// In any letter case.
    email: String,
    /// As chosen.
    #[schema(value_type = String, write_only)]
    password: SecretString,
}

/// A refresh token.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    /// From the last login or refresh.
    #[schema(value_type = String, write_only)]
    refresh_token: SecretString,
}

/// What to send from now on.
#[derive(Serialize, utoipa::ToSchema)]
struct TokenAnswer {
    /// A JWT for the `Authorization` header.
    access_token: String,
    /// `Bearer`
    token_type: &'static str,
    /// Seconds the access token works.
    expires_in: i64,
    /// Good for one exchange at `/api/v1/auth/refresh`.
    refresh_token: String,
}

fn answer(tokens: &Tokens) -> Json<TokenAnswer> {
    Json(TokenAnswer {
        access_token: tokens.access_token.expose_secret().to_owned(),
        token_type: "Bearer",
        expires_in: tokens.expires_in,
        refresh_token: tokens.refresh_token.expose_secret().to_owned(),
    })
}

/// Sign in
///
/// Failed attempts are limited per e-mail address and per network address: 429 with `Retry-After`.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", security(()), request_body = Login,
    responses((status = 200, description = "Signed in", body = TokenAnswer)))]
async fn login(
    State(hub): State<Hub>,
    PeerAddress(peer): PeerAddress,
    ApiJson(body): ApiJson<Login>,
) -> Result<Json<TokenAnswer>, ApiError> {
    let credentials = Credentials {
        email: body.email,
        password: body.password,
    };
    Ok(answer(&auth::login(&hub, &credentials, peer).await?))
}

/// Exchange a refresh token
///
/// The old one is dead; using it again ends the whole session.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth", security(()), request_body = Refresh,
    responses((status = 200, description = "New tokens", body = TokenAnswer)))]
async fn refresh(State(hub): State<Hub>, ApiJson(body): ApiJson<Refresh>) -> Result<Json<TokenAnswer>, ApiError> {
    Ok(answer(&auth::refresh(&hub, &body.refresh_token).await?))
}

/// Sign out
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth", security(()), request_body = Refresh,
    responses((status = 204, description = "The session is over")))]
async fn logout(State(hub): State<Hub>, ApiJson(body): ApiJson<Refresh>) -> Result<StatusCode, ApiError> {
    auth::logout(&hub, &body.refresh_token).await?;
    Ok(StatusCode::NO_CONTENT)
}
