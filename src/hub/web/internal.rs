//! What workers ask hubs. Not part of the public API.

use axum::{
    Json, Router,
    extract::{FromRequest, Request, State},
    http::HeaderMap,
    routing::post,
};

use super::{
    auth::bearer,
    error::ApiError,
    extract::{ApiJson, Id},
};
use crate::{
    domain::{
        brief::{Brief, BriefRequest},
        ids::JobId,
    },
    hub::{Hub, actions::brief},
};

pub(super) fn router() -> Router<Hub> {
    Router::new().route("/internal/v1/jobs/{id}/secrets", post(secrets))
}

/// The token is looked at before the body: strangers learn nothing about jobs or forms.
async fn secrets(
    State(hub): State<Hub>,
    headers: HeaderMap,
    id: Result<Id<JobId>, ApiError>,
    request: Request,
) -> Result<Json<Brief>, ApiError> {
    brief::require_worker(&hub, &bearer(&headers)?).await?;
    let Id(id) = id?;
    let ApiJson(request) = ApiJson::<BriefRequest>::from_request(request, &hub).await?;
    Ok(Json(brief::of_job(&hub, &id, &request).await?))
}
