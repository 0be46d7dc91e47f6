//! Snapshots: look, look inside, pin, check, restore, delete.

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Ordered;
use crate::{
    domain::{
        brief::BrowsePage,
        ids::{JobId, SnapshotId, SourceId},
        job::VerifyLevel,
    },
    hub::{
        Hub,
        actions::{
            List,
            browse::{self, BrowseQuery},
            restores::{self, NewRestore},
            restores_to_source::{self, NewServerRestore},
            snapshots::{self, SnapshotFilter},
        },
        views::SnapshotView,
        web::{
            auth::Caller,
            error::ApiError,
            extract::{ApiJson, Id, MaybeJson},
            pagination::{PageParams, Params},
        },
    },
};

pub(super) fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, update, delete))
        .routes(routes!(files))
        .routes(routes!(verify))
        .routes(routes!(restore))
        .routes(routes!(restore_to_source))
}

/// What to list.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only described, never made")]
struct FilterParams {
    /// Of this source.
    source_id: Option<SourceId>,
    /// Made by this job.
    job_id: Option<JobId>,
}

/// What to change of a snapshot.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct SnapshotPatch {
    /// Pinned snapshots are never removed.
    pinned: bool,
}

/// List snapshots
#[utoipa::path(get, path = "/api/v1/snapshots", tag = "snapshots", params(FilterParams, PageParams),
    responses((status = 200, description = "Snapshots of the tenant", body = List<SnapshotView>)))]
async fn list(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    params: Params,
) -> Result<Json<List<SnapshotView>>, ApiError> {
    let params = params.only(&["limit", "cursor", "source_id", "job_id"])?;
    let filter = SnapshotFilter {
        source_id: params.parsed("source_id")?,
        job_id: params.parsed("job_id")?,
    };
    Ok(Json(snapshots::list(&hub, &actor, &filter, &params.page()?).await?))
}

/// Look at a snapshot
#[utoipa::path(get, path = "/api/v1/snapshots/{id}", tag = "snapshots", params(("id" = SnapshotId, Path)),
    responses((status = 200, description = "The snapshot", body = SnapshotView)))]
async fn get(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<SnapshotId>,
) -> Result<Json<SnapshotView>, ApiError> {
    Ok(Json(snapshots::get(&hub, &actor, &id).await?))
}

/// Pin a snapshot, or let it go
#[utoipa::path(patch, path = "/api/v1/snapshots/{id}", tag = "snapshots", params(("id" = SnapshotId, Path)),
    request_body = SnapshotPatch, responses((status = 200, description = "Changed", body = SnapshotView)))]
async fn update(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<SnapshotId>,
    ApiJson(patch): ApiJson<SnapshotPatch>,
) -> Result<Json<SnapshotView>, ApiError> {
    Ok(Json(snapshots::set_pinned(&hub, &actor, &id, patch.pinned).await?))
}

/// Delete a snapshot
///
/// A job. 409 while it is pinned, or while a job needs it.
#[utoipa::path(delete, path = "/api/v1/snapshots/{id}", tag = "snapshots", params(("id" = SnapshotId, Path)),
    responses((status = 202, description = "Ordered", body = Ordered)))]
async fn delete(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<SnapshotId>,
) -> Result<(StatusCode, Json<Ordered>), ApiError> {
    Ok(Ordered::answer(snapshots::order_delete(&hub, &actor, &id).await?))
}

/// Look inside a snapshot
///
/// One directory, sorted by name. 503 names the worker that has the files, while it is away.
#[utoipa::path(get, path = "/api/v1/snapshots/{id}/files", tag = "snapshots",
    params(("id" = SnapshotId, Path), PageParams,
        ("path" = Option<String>, Query, description = "The directory, as in the entries' `path`; the root if absent")),
    responses((status = 200, description = "Its entries", body = BrowsePage)))]
async fn files(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<SnapshotId>,
    params: Params,
) -> Result<Json<BrowsePage>, ApiError> {
    let params = params.only(&["limit", "cursor", "path"])?;
    let page = params.page()?;
    let query = BrowseQuery {
        path: params.text("path").unwrap_or_default().to_owned(),
        cursor: page.cursor,
        limit: page.limit,
    };
    Ok(Json(browse::files(&hub, &actor, &id, query).await?))
}

/// How to check a snapshot.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewVerification {
    /// `content` if absent.
    #[serde(default)]
    level: VerifyLevel,
}

/// Check a snapshot
///
/// A job that reads all of it and compares every hash. At the level `restore`, it then loads each dump of a database into a
/// throw-away server on the worker and counts the rows: 409 if the snapshot has no dumps, or your organisation keeps the key.
#[utoipa::path(post, path = "/api/v1/snapshots/{id}/verify", tag = "snapshots", params(("id" = SnapshotId, Path)),
    request_body = Option<NewVerification>, responses((status = 202, description = "Ordered", body = Ordered)))]
async fn verify(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<SnapshotId>,
    MaybeJson(new): MaybeJson<NewVerification>,
) -> Result<(StatusCode, Json<Ordered>), ApiError> {
    Ok(Ordered::answer(
        snapshots::order_verify(&hub, &actor, &id, new.level).await?,
    ))
}

/// Restore a snapshot
///
/// A job; once it succeeded its `result` has the `download_url`, which works for one complete download.
#[utoipa::path(post, path = "/api/v1/snapshots/{id}/restores", tag = "snapshots", params(("id" = SnapshotId, Path)),
    request_body = NewRestore, responses((status = 202, description = "Ordered", body = Ordered)))]
async fn restore(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<SnapshotId>,
    ApiJson(new): ApiJson<NewRestore>,
) -> Result<(StatusCode, Json<Ordered>), ApiError> {
    Ok(Ordered::answer(
        restores::order_of_snapshot(&hub, &actor, &id, new).await?,
    ))
}

/// Restore a snapshot to a server
///
/// Writes to a source: the one it came from, or another one of a fitting kind. A dry run changes nothing; its `result`
/// (a `RestoreReport`) says what would be created, overwritten and left alone, and what stands in the way. The restore
/// itself needs `confirm`, the name of the source that is written to. Nothing is ever removed there.
#[utoipa::path(post, path = "/api/v1/snapshots/{id}/restores-to-source", tag = "snapshots",
    params(("id" = SnapshotId, Path)), request_body = NewServerRestore,
    responses((status = 202, description = "Ordered", body = Ordered)))]
async fn restore_to_source(
    State(hub): State<Hub>,
    Caller(actor): Caller,
    Id(id): Id<SnapshotId>,
    ApiJson(new): ApiJson<NewServerRestore>,
) -> Result<(StatusCode, Json<Ordered>), ApiError> {
    Ok(Ordered::answer(
        restores_to_source::order_of_snapshot(&hub, &actor, &id, new).await?,
    ))
}
