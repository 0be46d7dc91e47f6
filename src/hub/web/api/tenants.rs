//! Tenants, for the platform's administrator.

use axum::{Json, extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::hub::{
    Hub,
    actions::{
        List,
        tenants::{self, NewTenant},
    },
    views::TenantView,
    web::{
        auth::Caller,
        error::ApiError,
        extract::ApiJson,
        pagination::{PageParams, Params},
    },
};

pub(super) fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(list_tenants, create_tenant))
}

/// List tenants
#[utoipa::path(get, path = "/api/v1/admin/tenants", tag = "platform", params(PageParams),
    responses((status = 200, description = "Every tenant", body = List<TenantView>)))]
async fn list_tenants(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    params: Params,
) -> Result<Json<List<TenantView>>, ApiError> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    Ok(Json(tenants::list(&hub, &actor, &page).await?))
}

/// Make a tenant
///
/// With its first owner, its data key and its age identity.
#[utoipa::path(post, path = "/api/v1/admin/tenants", tag = "platform", request_body = NewTenant,
    responses((status = 201, description = "Made", body = TenantView)))]
async fn create_tenant(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    ApiJson(new): ApiJson<NewTenant>,
) -> Result<(StatusCode, Json<TenantView>), ApiError> {
    Ok((StatusCode::CREATED, Json(tenants::create(&hub, &actor, new).await?)))
}
