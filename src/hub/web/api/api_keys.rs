//! API keys.

use axum::{Json, extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::ids::KeyId,
    hub::{
        Hub,
        actions::{
            List,
            api_keys::{self, NewApiKey},
        },
        views::{ApiKeyCreated, ApiKeyView},
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
        .routes(routes!(delete))
}

/// List API keys
#[utoipa::path(get, path = "/api/v1/api-keys", tag = "api keys", params(PageParams),
    responses((status = 200, description = "Keys of the tenant", body = List<ApiKeyView>)))]
async fn list(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    params: Params,
) -> Result<Json<List<ApiKeyView>>, ApiError> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    Ok(Json(api_keys::list(&hub, &actor, &page).await?))
}

/// Make an API key
///
/// The answer is the only place where the key is ever shown.
#[utoipa::path(post, path = "/api/v1/api-keys", tag = "api keys", request_body = NewApiKey,
    responses((status = 201, description = "Made", body = ApiKeyCreated)))]
async fn create(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    ApiJson(new): ApiJson<NewApiKey>,
) -> Result<(StatusCode, Json<ApiKeyCreated>), ApiError> {
    Ok((StatusCode::CREATED, Json(api_keys::create(&hub, &actor, new).await?)))
}

/// End an API key
#[utoipa::path(delete, path = "/api/v1/api-keys/{id}", tag = "api keys", params(("id" = KeyId, Path)),
    responses((status = 204, description = "It works no more")))]
async fn delete(State(hub): State<Hub>, Caller(actor): Caller, Id(id): Id<KeyId>) -> Result<StatusCode, ApiError> {
    api_keys::delete(&hub, &actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
