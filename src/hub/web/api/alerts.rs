//! What the caller should know about the fleet.

use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::hub::{
    Hub,
    actions::alerts,
    views::AlertView,
    web::{auth::Caller, error::ApiError},
};

pub(super) fn router() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(list_alerts))
}

/// What is wrong just now.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
struct Alerts {
    /// The most important first; empty if all is well.
    items: Vec<AlertView>,
}

/// List alerts
///
/// Administrators of the platform hear about all of it, others about what concerns their tenant.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "platform",
    responses((status = 200, description = "What is wrong just now", body = Alerts)))]
async fn list_alerts(State(hub): State<Hub>, Caller(actor): Caller) -> Result<Json<Alerts>, ApiError> {
    Ok(Json(Alerts {
        items: alerts::of(&hub, &actor).await?,
    }))
}
