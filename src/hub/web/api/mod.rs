//! The JSON API, version 1: thin handlers, one file per noun. Each is described by `#[utoipa::path]` and
//! registered through [`openapi`], so no route can be missing from the description.

mod alerts;
mod api_keys;
mod auth;
mod invitations;
mod jobs;
mod me;
mod members;
pub mod openapi;
mod snapshots;
mod sources;
mod tenants;
mod workers;

use axum::{Json, Router, http::StatusCode, middleware::from_fn_with_state, routing::get};
use utoipa_axum::router::OpenApiRouter;

use super::{auth::require_actor, idempotency};
use crate::hub::{Hub, views::JobView};

/// An ordered job, as an answer.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
struct Ordered {
    /// The job; follow it at `/api/v1/jobs/{id}`.
    job: JobView,
}

impl Ordered {
    fn answer(job: JobView) -> (StatusCode, Json<Self>) {
        (StatusCode::ACCEPTED, Json(Self { job }))
    }
}

/// The routes of the API and their description.
pub fn router(hub: &Hub) -> Router<Hub> {
    let (router, description) = described(hub).split_for_parts();
    let description = openapi::complete(description);
    router.route("/api/openapi.json", get(async move || Json(description)))
}

fn described(hub: &Hub) -> OpenApiRouter<Hub> {
    let open = OpenApiRouter::new().merge(auth::router()).merge(invitations::router());
    let known = OpenApiRouter::new()
        .merge(me::router())
        .merge(alerts::router())
        .merge(api_keys::router())
        .merge(sources::router())
        .merge(jobs::router())
        .merge(snapshots::router())
        .merge(members::router())
        .merge(tenants::router())
        .merge(workers::router())
        .route_layer(from_fn_with_state(hub.clone(), idempotency::once))
        .route_layer(from_fn_with_state(hub.clone(), require_actor));
    openapi::frame().merge(open).merge(known)
}
