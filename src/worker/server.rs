//! What a worker answers over HTTP: downloads for people, one directory of an index for hubs, and
//! signs of life.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{Extensions, HeaderMap, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
    routing::{get, post},
};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    downloads::{connection::WatchedStream, download},
    meters,
    node::Node,
};
use crate::{
    artifact,
    crypto::{age_keys::FileKey, tokens},
    db::{self, schema},
    domain::{
        brief::{BrowsePage, BrowseRequest},
        error_code::ErrorCode,
        job::JobError,
        snapshot::ArtifactFile,
    },
    serving::{self, Bounds},
    storage::Storage,
    telemetry::exposition,
};

/// Largest body accepted, in bytes: a browse request with the longest path.
const MAX_BODY: usize = 256 * 1024;

/// Most names of one directory per answer.
const MAX_NAMES: usize = 1000;

/// Serves until `stop` fires and the answers under way are done.
pub async fn serve(node: Arc<Node>, listener: TcpListener, stop: CancellationToken) {
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/downloads/{export_id}/{token}", get(download))
        .route("/internal/v1/browse", post(browse))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(node);
    serving::serve(listener, routes, Bounds::default(), stop, |stream, address| {
        let stream = WatchedStream::new(stream);
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(stream.connection()));
        extensions.insert(ConnectInfo(address));
        (stream, extensions)
    })
    .await;
}

/// For Prometheus: with the token, or, where none is set, for this machine only.
async fn metrics(
    State(node): State<Arc<Node>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response<axum::body::Body> {
    let allowed = match &node.config.metrics_token {
        Some(token) => headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .is_some_and(|given| tokens::matches(given.as_bytes(), token.expose_secret().as_bytes())),
        None => serving::is_local(peer.ip(), &headers),
    };
    if !allowed {
        let why = "metrics want XVAULT_METRICS_TOKEN as Bearer, or, where it is not set, a request from this machine";
        return problem(StatusCode::FORBIDDEN, why);
    }
    ([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], meters::text(&node)).into_response()
}

/// Ready to claim jobs: the database answers, with a schema we understand.
async fn ready(State(node): State<Arc<Node>>) -> Response<axum::body::Body> {
    let unready = |why: &str| problem(StatusCode::SERVICE_UNAVAILABLE, why);
    if node.stopping.is_cancelled() {
        return unready("The worker is stopping");
    }
    let looked = async { schema::fit(&mut *node.pool.acquire().await?).await };
    match db::answered(looked).await {
        Ok(fit) if fit.is_fine() => "ready\n".into_response(),
        Ok(fit) => unready(&fit.to_string()),
        Err(_) => unready("The database is away, or has no schema yet"),
    }
}

/// One directory out of the index of a snapshot on this disk. Who knows the index's key may read it.
async fn browse(State(node): State<Arc<Node>>, Json(request): Json<BrowseRequest>) -> Response<axum::body::Body> {
    let found = tokio::task::spawn_blocking(move || look_up(&node, &request)).await;
    match found {
        Ok(Ok(page)) => Json(page).into_response(),
        Ok(Err(error)) => problem(status_of(error.code), &error.message),
        Err(fault) => {
            tracing::error!(%fault, "browsing failed");
            problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "A fault in xVault; see the worker's log",
            )
        }
    }
}

fn look_up(node: &Node, request: &BrowseRequest) -> Result<BrowsePage, JobError> {
    let key = FileKey::from_base64(&request.index_key)
        .map_err(|error| JobError::new(ErrorCode::KeyUnavailable, error.to_string(), ""))?;
    let index = node.storage.open(&request.key, ArtifactFile::Index)?;
    let limit = request.limit.clamp(1, MAX_NAMES);
    artifact::browse(index, &key, &request.path, request.cursor.as_deref(), limit)
}

/// Another key, another snapshot, another path: all are "not here".
fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::KeyUnavailable | ErrorCode::SnapshotMissing | ErrorCode::PathNotFound => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An error for people and programs (RFC 9457).
pub fn problem(status: StatusCode, detail: &str) -> Response<axum::body::Body> {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": detail,
    });
    let mut answer = (status, Json(body)).into_response();
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
