//! Workers, for the platform's administrator.

use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::hub::{
    Hub,
    actions::{List, workers},
    views::WorkerView,
    web::{
        auth::Caller,
        error::ApiError,
        pagination::{PageParams, Params},
    },
};

pub(super) fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(list_workers))
}

/// List workers
#[utoipa::path(get, path = "/api/v1/workers", tag = "platform", params(PageParams),
    responses((status = 200, description = "Every worker ever seen", body = List<WorkerView>)))]
async fn list_workers(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    params: Params,
) -> Result<Json<List<WorkerView>>, ApiError> {
    let page = params.only(&["limit", "cursor"])?.page()?;
    Ok(Json(workers::list(&hub, &actor, &page).await?))
}
