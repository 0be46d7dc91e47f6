//! Every route of a hub.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{api, error::ApiError, internal, layers, metrics};
use crate::hub::Hub;

/// API, pages and internal calls.
pub fn router(hub: Hub) -> Router {
    Router::new()
        .merge(api::router(&hub))
        .merge(internal::router())
        .merge(metrics::router())
        .fallback(nothing_here)
        .method_not_allowed_fallback(async || ApiError::NoSuchMethod)
        .layer(DefaultBodyLimit::max(layers::MAX_BODY))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(from_fn_with_state(hub.clone(), layers::secure))
        .layer(from_fn(layers::observe))
        .with_state(hub)
}

async fn nothing_here() -> Response {
    ApiError::NoSuchPath.into_response()
}
