//! Accepting an invitation; its token is the permission.

use axum::{extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::hub::{
    Hub,
    actions::invitations,
    web::{error::ApiError, extract::ApiJson},
};

pub(super) fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(accept))
}

/// An invitation to accept.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Acceptance {
    /// The last part of the invitation link.
    #[schema(value_type = String, write_only)]
    token: SecretString,
    /// The password to sign in with; not needed by somebody who has one already.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    password: Option<SecretString>,
}

/// Accept an invitation
#[utoipa::path(post, path = "/api/v1/invitations/accept", tag = "members", security(()), request_body = Acceptance,
    responses((status = 204, description = "Accepted; sign in now")))]
async fn accept(State(hub): State<Hub>, ApiJson(body): ApiJson<Acceptance>) -> Result<StatusCode, ApiError> {
    invitations::accept(&hub, &body.token, body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}
