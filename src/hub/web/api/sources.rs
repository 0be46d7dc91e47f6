//! Sources, and what can be ordered for one.

use axum::{Json, extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Ordered;
use crate::{
    domain::ids::SourceId,
    hub::{
        Hub,
        actions::{
            List,
            identity::{self, Approval},
            jobs,
            sources::{self, NewSource, SourcePatch},
        },
        views::SourceView,
        web::{
            auth::Caller,
            error::ApiError,
            extract::{ApiJson, Id},
            pagination::{PageParams, Params},
        },
    },
};

pub(super) fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(approve_identity))
        .routes(routes!(probe))
        .routes(routes!(back_up))
}

/// List sources
#[utoipa::path(get, path = "/api/v1/sources", tag = "sources", params(PageParams),
    responses((status = 200, description = "Sources of the tenant", body = List<SourceView>)))]
async fn list(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    params: Params,
) -> Result<Json<List<SourceView>>, ApiError> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    Ok(Json(sources::list(&hub, &actor, &page).await?))
}

/// Add a source
///
/// Nothing is connected to; order a probe for that. Credentials go in and never come out.
#[utoipa::path(post, path = "/api/v1/sources", tag = "sources", request_body = NewSource,
    responses((status = 201, description = "Added", body = SourceView)))]
async fn create(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    ApiJson(new): ApiJson<NewSource>,
) -> Result<(StatusCode, Json<SourceView>), ApiError> {
    Ok((StatusCode::CREATED, Json(sources::create(&hub, &actor, new).await?)))
}

/// Look at a source
#[utoipa::path(get, path = "/api/v1/sources/{id}", tag = "sources", params(("id" = SourceId, Path)),
    responses((status = 200, description = "The source", body = SourceView)))]
async fn get(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<SourceId>,
) -> Result<Json<SourceView>, ApiError> {
    Ok(Json(sources::get(&hub, &actor, &id).await?))
}

/// Change a source
///
/// What is absent stays. Another host, port or jump host has to be approved anew.
#[utoipa::path(patch, path = "/api/v1/sources/{id}", tag = "sources", params(("id" = SourceId, Path)),
    request_body = SourcePatch, responses((status = 200, description = "Changed", body = SourceView)))]
async fn update(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<SourceId>,
    ApiJson(patch): ApiJson<SourcePatch>,
) -> Result<Json<SourceView>, ApiError> {
    Ok(Json(sources::update(&hub, &actor, &id, patch).await?))
}

/// Delete a source
///
/// With its credentials. Its snapshots stay, and can be restored, until they are deleted themselves. 409 while a
/// backup is active.
#[utoipa::path(delete, path = "/api/v1/sources/{id}", tag = "sources", params(("id" = SourceId, Path)),
    responses((status = 204, description = "Deleted")))]
async fn delete(State(hub): State<Hub>, Caller(actor): Caller, Id(id): Id<SourceId>) -> Result<StatusCode, ApiError> {
    sources::delete(&hub, &actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Approve a source's identity
///
/// Pins the SSH host key that a probe showed. Until then nothing is backed up, and no password is sent.
#[utoipa::path(put, path = "/api/v1/sources/{id}/identity", tag = "sources", params(("id" = SourceId, Path)),
    request_body = Approval, responses((status = 200, description = "Pinned", body = SourceView)))]
async fn approve_identity(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<SourceId>,
    ApiJson(approval): ApiJson<Approval>,
) -> Result<Json<SourceView>, ApiError> {
    Ok(Json(identity::approve(&hub, &actor, &id, approval).await?))
}

/// Look at the server
///
/// A job; its `result` says what was found.
#[utoipa::path(post, path = "/api/v1/sources/{id}/probe", tag = "sources", params(("id" = SourceId, Path)),
    responses((status = 202, description = "Ordered", body = Ordered)))]
async fn probe(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<SourceId>,
) -> Result<(StatusCode, Json<Ordered>), ApiError> {
    Ok(Ordered::answer(jobs::order_probe(&hub, &actor, &id).await?))
}

/// Back up now
///
/// 409 with `active_job_id` while a backup of this source is active.
#[utoipa::path(post, path = "/api/v1/sources/{id}/backups", tag = "sources", params(("id" = SourceId, Path)),
    responses((status = 202, description = "Ordered", body = Ordered)))]
async fn back_up(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<SourceId>,
) -> Result<(StatusCode, Json<Ordered>), ApiError> {
    Ok(Ordered::answer(jobs::order_backup(&hub, &actor, &id).await?))
}
