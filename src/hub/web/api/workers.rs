//! Workers, for the platform's administrator.

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::ids::WorkerId,
    hub::{
        Hub,
        actions::{List, retirement, workers},
        views::{RetiredView, WorkerDetailView, WorkerView},
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
        .routes(routes!(list_workers))
        .routes(routes!(get_worker))
        .routes(routes!(drain_worker))
        .routes(routes!(undrain_worker))
        .routes(routes!(retire_worker))
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

/// Look at a worker
///
/// With what it runs, what waits for it and what only it has, in counts and sizes per tenant.
#[utoipa::path(get, path = "/api/v1/workers/{id}", tag = "platform", params(("id" = WorkerId, Path)),
    responses((status = 200, description = "The worker", body = WorkerDetailView)))]
async fn get_worker(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<WorkerId>,
) -> Result<Json<WorkerDetailView>, ApiError> {
    Ok(Json(workers::get(&hub, &actor, &id).await?))
}

/// Drain a worker
///
/// It takes no new backups and probes within seconds, finishes what it runs, and still serves what lies on its disk.
#[utoipa::path(post, path = "/api/v1/workers/{id}/drain", tag = "platform", params(("id" = WorkerId, Path)),
    responses((status = 200, description = "The worker", body = WorkerView)))]
async fn drain_worker(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<WorkerId>,
) -> Result<Json<WorkerView>, ApiError> {
    Ok(Json(workers::set_drained(&hub, &actor, &id, true).await?))
}

/// Let a drained worker take work again
#[utoipa::path(post, path = "/api/v1/workers/{id}/undrain", tag = "platform", params(("id" = WorkerId, Path)),
    responses((status = 200, description = "The worker", body = WorkerView)))]
async fn undrain_worker(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<WorkerId>,
) -> Result<Json<WorkerView>, ApiError> {
    Ok(Json(workers::set_drained(&hub, &actor, &id, false).await?))
}

/// A retirement, confirmed.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Retirement {
    /// The id of the worker once more.
    confirm: String,
}

/// Retire a worker for ever
///
/// 409 while it runs. Its snapshots become `missing`, restores and checks that wait for it fail with
/// `worker_retired`, waiting deletions are ended by another worker.
#[utoipa::path(post, path = "/api/v1/workers/{id}/retire", tag = "platform", params(("id" = WorkerId, Path)),
    request_body = Retirement, responses((status = 200, description = "What was done", body = RetiredView)))]
async fn retire_worker(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<WorkerId>,
    ApiJson(retirement): ApiJson<Retirement>,
) -> Result<Json<RetiredView>, ApiError> {
    Ok(Json(retirement::retire(&hub, &actor, &id, &retirement.confirm).await?))
}
