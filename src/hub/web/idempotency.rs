//! `Idempotency-Key`: the same request twice is carried out once and answered the same. Answers are kept
//! sealed, because some hold a secret that is shown once.

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::Instrument;

use super::{error::ApiError, extract, layers::TIME_LIMIT};
use crate::{
    crypto::envelope::Binding,
    db::idempotency_keys::{self, Earlier, RequestKey},
    hub::{
        Hub,
        actions::{ActionError, Actor},
        once::Once,
    },
};

const HEADER: &str = "idempotency-key";

/// Longest key in characters.
const MAX_KEY: usize = 255;

/// Longest answer that is kept, in bytes; no POST of the API answers anything near it.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// An answer as it is sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    content_type: Option<String>,
    body: String,
}

/// Carries out a request with a key once. Runs after the caller is known.
pub(super) async fn once(State(hub): State<Hub>, request: Request, next: Next) -> Result<Response, ApiError> {
    if request.method() != Method::POST || !request.headers().contains_key(HEADER) {
        return Ok(next.run(request).await);
    }
    let actor = request.extensions().get::<Actor>();
    let actor = actor.ok_or_else(|| ActionError::internal("a route with Idempotency-Key has no caller"))?;
    let key = RequestKey {
        tenant_id: actor.tenant_id.clone(),
        actor: actor.name().to_owned(),
        key: key(request.headers())?,
    };
    let (parts, body) = request.into_parts();
    let body = extract::body(Request::from_parts(parts.clone(), body)).await?;
    let hash = request_hash(parts.uri.path(), &body);
    let earlier = {
        let mut conn = hub.connection().await?;
        idempotency_keys::find(&mut conn, &key, hub.clock.now())
            .await
            .map_err(ActionError::from)?
    };
    if let Some(earlier) = earlier {
        if earlier.request_hash != hash {
            let detail = "was used for another request; take a fresh one";
            return Err(ApiError::invalid("/Idempotency-Key", detail));
        }
        return replay(&hub, &key, &earlier).await;
    }
    // Carried out beside this connection: a client that hangs up changes nothing about what was begun.
    let request = Request::from_parts(parts, Body::from(body));
    let work = async move { carry_out(&hub, key, hash, request, next).await };
    let carried_out = tokio::spawn(tokio::time::timeout(TIME_LIMIT, work).in_current_span());
    let in_time = carried_out.await.map_err(ActionError::internal)?;
    in_time.unwrap_or(Err(ApiError::TimedOut))
}

/// Carries out a request and keeps its answer, in one transaction.
async fn carry_out(
    hub: &Hub,
    key: RequestKey,
    request_hash: Vec<u8>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let once = Once::new(key.clone());
    let answer = once.carry_out(next.run(request)).await;
    if once.is_taken() {
        return Err(ApiError::InProgress);
    }
    let passing = matches!(
        answer.status(),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::UNAUTHORIZED
    );
    if answer.status().is_server_error() || passing {
        // Not carried out: what was laid by is rolled back.
        return Ok(answer);
    }
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, MAX_ANSWER).await.map_err(ActionError::internal)?;
    let content_type = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kept = Kept {
        content_type: content_type.map(str::to_owned),
        body: BASE64_STANDARD.encode(&body),
    };
    let kept = serde_json::to_vec(&kept).map_err(ActionError::internal)?;
    let laid_by = once.take();
    let has_effect = laid_by.is_some();
    let mut transaction = match laid_by {
        Some(transaction) => transaction,
        None => hub.begin().await?,
    };
    let earlier = Earlier {
        request_hash,
        status: i16::try_from(parts.status.as_u16()).unwrap_or(i16::MAX),
        sealed_body: hub
            .data_key(&mut transaction, &key.tenant_id)
            .await?
            .seal(&binding(&key), &kept),
    };
    let is_first = idempotency_keys::keep(&mut transaction, &key, &earlier, hub.clock.now())
        .await
        .map_err(ActionError::from)?;
    if has_effect && !is_first {
        // A refusal of the same request was faster; without this transaction, that is all that happened.
        return Err(ApiError::InProgress);
    }
    hub.commit(transaction).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

async fn replay(hub: &Hub, key: &RequestKey, earlier: &Earlier) -> Result<Response, ApiError> {
    let mut conn = hub.connection().await?;
    let data_key = hub.data_key(&mut conn, &key.tenant_id).await?;
    let kept = data_key
        .open(&binding(key), &earlier.sealed_body)
        .map_err(ActionError::from)?;
    let kept: Kept = serde_json::from_slice(kept.expose_secret()).map_err(ActionError::internal)?;
    let body = BASE64_STANDARD.decode(kept.body).map_err(ActionError::internal)?;
    let status = u16::try_from(earlier.status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok());
    let mut answer = (status.unwrap_or(StatusCode::OK), body).into_response();
    answer.headers_mut().remove(header::CONTENT_TYPE);
    if let Some(content_type) = kept.content_type.and_then(|text| HeaderValue::from_str(&text).ok()) {
        answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    answer
        .headers_mut()
        .insert("idempotent-replay", HeaderValue::from_static("true"));
    Ok(answer)
}

fn key(headers: &HeaderMap) -> Result<String, ApiError> {
    let text = headers
        .get(HEADER)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if text.is_empty() || text.len() > MAX_KEY {
        let detail = format!("must be 1 to {MAX_KEY} visible ASCII characters");
        return Err(ApiError::invalid("/Idempotency-Key", detail));
    }
    Ok(text.to_owned())
}

fn request_hash(path: &str, body: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update((path.len() as u64).to_be_bytes());
    hash.update(path);
    hash.update(body);
    hash.finalize().to_vec()
}

fn binding(key: &RequestKey) -> Binding<'_> {
    Binding {
        tenant_id: &key.tenant_id,
        row: &key.key,
        field: "idempotent_answer",
    }
}
