//! Members of the tenant.

use axum::{Json, extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::ids::UserId,
    hub::{
        Hub,
        actions::{
            List,
            members::{self, MemberPatch, NewMember},
        },
        views::{MemberCreated, MemberView},
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
        .routes(routes!(update, delete))
}

/// List members
#[utoipa::path(get, path = "/api/v1/members", tag = "members", params(PageParams),
    responses((status = 200, description = "Members of the tenant", body = List<MemberView>)))]
async fn list(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    params: Params,
) -> Result<Json<List<MemberView>>, ApiError> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    Ok(Json(members::list(&hub, &actor, &page).await?))
}

/// Add a member
///
/// Without a password the answer carries an invitation link, shown once.
#[utoipa::path(post, path = "/api/v1/members", tag = "members", request_body = NewMember,
    responses((status = 201, description = "Added", body = MemberCreated)))]
async fn create(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    ApiJson(new): ApiJson<NewMember>,
) -> Result<(StatusCode, Json<MemberCreated>), ApiError> {
    Ok((StatusCode::CREATED, Json(members::create(&hub, &actor, new).await?)))
}

/// Change what a member may do
#[utoipa::path(patch, path = "/api/v1/members/{id}", tag = "members", params(("id" = UserId, Path)),
    request_body = MemberPatch, responses((status = 200, description = "Changed", body = MemberView)))]
async fn update(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<UserId>,
    ApiJson(patch): ApiJson<MemberPatch>,
) -> Result<Json<MemberView>, ApiError> {
    Ok(Json(members::update(&hub, &actor, &id, patch).await?))
}

/// Remove a member
///
/// With their sessions and the API keys they made.
#[utoipa::path(delete, path = "/api/v1/members/{id}", tag = "members", params(("id" = UserId, Path)),
    responses((status = 204, description = "Removed")))]
async fn delete(State(hub): State<Hub>, Caller(actor): Caller, Id(id): Id<UserId>) -> Result<StatusCode, ApiError> {
    members::delete(&hub, &actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
