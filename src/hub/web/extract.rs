//! Requests into types; whatever cannot be read answers 4xx as a problem document.

use std::str::FromStr;

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{header, request::Parts},
};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde::de::DeserializeOwned;

use super::{error::ApiError, layers::MAX_BODY};
use crate::hub::actions::{ActionError, input};

/// Most bytes of a body that are read only to be thrown away.
const MAX_DISCARDED: usize = 16 * MAX_BODY;

/// A JSON body. Malformed JSON is 400; JSON of another shape is 422 with a pointer.
#[derive(Debug)]
pub struct ApiJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !is_json(&request) {
            return Err(ApiError::NotJson);
        }
        parsed(&body(request).await?).map(Self)
    }
}

/// A JSON body that may be left out, or null; then everything in it is as usual.
#[derive(Debug)]
pub struct MaybeJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let is_json = is_json(&request);
        let body = body(request).await?;
        match body.is_empty() {
            true => Ok(Self(T::default())),
            false if !is_json => Err(ApiError::NotJson),
            false => parsed::<Option<T>>(&body).map(|given| Self(given.unwrap_or_default())),
        }
    }
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let value = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    Ok(input::parse("", value)?)
}

/// The whole body, if it is not too long. The rest of a longer one is read and thrown away, within reason:
/// most clients look at the answer only once they have sent everything.
pub(super) async fn body(request: Request) -> Result<Bytes, ApiError> {
    let mut chunks = request.into_body().into_data_stream();
    let (mut body, mut length) = (BytesMut::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| ApiError::Malformed("the request's body ended early".into()))?;
        length += chunk.len();
        if length <= MAX_BODY {
            body.extend_from_slice(&chunk);
        } else if length > MAX_DISCARDED {
            break;
        }
    }
    if length > MAX_BODY {
        Err(ApiError::TooLarge)
    } else {
        Ok(body.freeze())
    }
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
