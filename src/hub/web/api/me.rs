//! Who the caller is, and their tenant's recovery sheet.

use axum::{Json, extract::State, http::header, response::IntoResponse};
use secrecy::ExposeSecret;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::hub::{
    Hub,
    actions::{me, recovery_sheet as sheet},
    views::MeView,
    web::{auth::Caller, error::ApiError},
};

pub(super) fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(get_me))
        .routes(routes!(recovery_sheet))
}

/// Who am I
#[utoipa::path(get, path = "/api/v1/me", tag = "auth",
    responses((status = 200, description = "The caller", body = MeView)))]
async fn get_me(State(hub): State<Hub>, Caller(actor): Caller) -> Result<Json<MeView>, ApiError> {
    Ok(Json(me::get(&hub, &actor).await?))
}

/// Download the recovery sheet
///
/// For owners. Holds the tenant's private age key and the commands that open a backup without xVault. Audited.
#[utoipa::path(post, path = "/api/v1/tenant/recovery-sheet", tag = "tenant",
    responses((status = 200, description = "The sheet", body = String, content_type = "text/plain")))]
async fn recovery_sheet(State(hub): State<Hub>, Caller(actor): Caller) -> Result<impl IntoResponse, ApiError> {
    let text = sheet::create(&hub, &actor).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"recovery-sheet.txt\"",
        ),
    ];
    Ok((headers, text.expose_secret().to_owned()))
}
