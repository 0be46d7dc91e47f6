//! Requests into types; whatever cannot be read answers 4xx as a problem document.

use std::str::FromStr;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{StatusCode, header, request::Parts},
    response::IntoResponse,
};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::hub::actions::{ActionError, input};

/// A JSON body. Malformed JSON is 400; JSON of another shape is 422 with a pointer.
#[derive(Debug)]
pub struct ApiJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(&request) {
            return Err(ApiError::NotJson);
        }
        let body = body(request, state).await?;
        let value = serde_json::from_slice(&body).map_err(|error| malformed(&error))?;
        Ok(Self(input::parse("", value)?))
    }
}

/// The whole body, if it is not too long.
pub(super) async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| match rejection.into_response().status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
            _ => ApiError::Malformed("the request's body ended early".into()),
        })
}

fn is_json(request: &Request) -> bool {
    let named = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = named
        .and_then(|named| named.split(';').next())
        .unwrap_or_default()
        .trim();
    let essence = essence.to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Says where, and nothing of what was sent.
fn malformed(error: &serde_json::Error) -> ApiError {
    ApiError::Malformed(format!(
        "the body is not JSON: trouble at line {}, column {}",
        error.line(),
        error.column()
    ))
}

/// The id in the path. What is no id belongs to nothing: 404, named by `what`.
#[derive(Debug)]
pub struct Id<T>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        const NOTHING: ActionError = ActionError::NotFound("thing here");
        let text = Path::<String>::from_request_parts(parts, state).await;
        let id = text.ok().and_then(|Path(text)| text.parse().ok());
        Ok(Self(id.ok_or(NOTHING)?))
    }
}
