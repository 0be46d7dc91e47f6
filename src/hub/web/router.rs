//! Every route of a hub.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
    routing::any,
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{api, error::ApiError, internal, layers, metrics, pages};
use crate::hub::Hub;

/// API, pages and internal calls.
pub fn router(hub: Hub) -> Router {
    Router::new()
        .merge(for_programs(&hub))
        .merge(pages::router())
        .layer(DefaultBodyLimit::max(layers::MAX_BODY))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(from_fn_with_state(hub.clone(), layers::secure))
        .layer(from_fn(layers::observe))
        .with_state(hub)
}

/// Everything that answers problem documents, wrong addresses below `/api` and `/internal` included.
fn for_programs(hub: &Hub) -> Router<Hub> {
    let nothing_here = || any(async || ApiError::NoSuchPath);
    Router::new()
        .merge(api::router(hub))
        .merge(internal::router())
        .merge(metrics::router())
        .method_not_allowed_fallback(async || ApiError::NoSuchMethod)
        .route("/api", nothing_here())
        .route("/api/{*rest}", nothing_here())
        .route("/internal/{*rest}", nothing_here())
}
