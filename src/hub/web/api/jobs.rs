//! Jobs: look, follow, cancel, restore what one stored.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Ordered;
use crate::{
    domain::{
        ids::{JobId, SnapshotId, SourceId},
        job::{JobKind, JobState},
    },
    hub::{
        Hub,
        actions::{
            List,
            jobs::{self, JobFilter},
            restores::{self, NewRestore},
        },
        views::{JobEventView, JobView},
        web::{
            auth::Caller,
            error::ApiError,
            extract::{ApiJson, Id},
            pagination::{PageParams, Params},
            sse,
        },
    },
};

pub(super) fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(events))
        .routes(routes!(cancel))
        .routes(routes!(restore))
}

/// What to list.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only described, never made")]
struct FilterParams {
    /// About this source.
    source_id: Option<SourceId>,
    /// About this snapshot.
    snapshot_id: Option<SnapshotId>,
    /// Of this kind.
    kind: Option<JobKind>,
    /// In this state.
    state: Option<JobState>,
}

/// List jobs
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", params(FilterParams, PageParams),
    responses((status = 200, description = "Jobs of the tenant", body = List<JobView>)))]
async fn list(State(hub): State<Hub>, Caller(actor): Caller, params: Params) -> Result<Json<List<JobView>>, ApiError> {
    let params = params.only(&["limit", "cursor", "source_id", "snapshot_id", "kind", "state"])?;
    let filter = JobFilter {
        source_id: params.parsed("source_id")?,
        snapshot_id: params.parsed("snapshot_id")?,
        kind: params.parsed("kind")?,
        state: params.parsed("state")?,
    };
    Ok(Json(jobs::list(&hub, &actor, &filter, &params.page()?).await?))
}

/// Look at a job
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs", params(("id" = JobId, Path)),
    responses((status = 200, description = "The job", body = JobView)))]
async fn get(State(hub): State<Hub>, Caller(actor): Caller, Id(id): Id<JobId>) -> Result<Json<JobView>, ApiError> {
    Ok(Json(jobs::get(&hub, &actor, &id).await?))
}

/// Follow a job
///
/// A list of what happened, oldest first; at most 500 at once, go on with `after`. With `Accept: text/event-stream`
/// a live stream: `event` (as in the list), `job` (the job, whenever it changed) and at last `end`. A stream that
/// broke off goes on after `Last-Event-ID`.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/events", tag = "jobs",
    params(("id" = JobId, Path), ("after" = Option<i64>, Query, description = "Only events after this `seq`"),
        ("Last-Event-ID" = Option<i64>, Header, description = "Of a live stream: the same as `after`")),
    responses((status = 200, description = "What happened", content(
        (Vec<JobEventView> = "application/json"), (String = "text/event-stream")))))]
async fn events(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<JobId>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let after: Option<i64> = params.only(&["after"])?.parsed("after")?;
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if !text(header::ACCEPT).is_some_and(|accept| accept.contains("text/event-stream")) {
        return Ok(Json(jobs::events(&hub, &actor, &id, after.unwrap_or(0)).await?).into_response());
    }
    let resumed = text(header::HeaderName::from_static("last-event-id")).and_then(|id| id.parse().ok());
    let stream = sse::job_stream(&hub, &actor, id, resumed.or(after).unwrap_or(0)).await?;
    Ok(stream.into_response())
}

/// Cancel a job
///
/// At once if it waits, within seconds if it runs. 409 if it is over.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/cancel", tag = "jobs", params(("id" = JobId, Path)),
    responses((status = 202, description = "The job", body = JobView)))]
async fn cancel(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<JobId>,
) -> Result<(StatusCode, Json<JobView>), ApiError> {
    Ok((StatusCode::ACCEPTED, Json(jobs::cancel(&hub, &actor, &id).await?)))
}

/// Restore what a backup job stored
///
/// The same as restoring its snapshot.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/restore", tag = "jobs", params(("id" = JobId, Path)),
    request_body = NewRestore, responses((status = 202, description = "Ordered", body = Ordered)))]
async fn restore(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<JobId>,
    ApiJson(new): ApiJson<NewRestore>,
) -> Result<(StatusCode, Json<Ordered>), ApiError> {
    Ok(Ordered::answer(restores::order_of_job(&hub, &actor, &id, new).await?))
}
