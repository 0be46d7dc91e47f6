//! Pages for people: forms and redirects that need no JavaScript, live progress where there is some.
//!
//! A file per noun. Handlers call the same actions as the API and show their views; they know no rule and no
//! SQL. What stands in `templates/` decides the look, `static/` the rest.

mod alerts;
mod api_keys;
mod assets;
mod error;
mod field_errors;
mod files;
mod filters;
mod flash;
mod form;
mod found;
mod gate;
mod growth;
mod id;
mod invitations;
mod job_detail;
mod jobs;
mod live;
mod members;
mod overview;
mod pager;
mod recovery;
mod render;
mod restore;
mod restore_report;
mod restore_to_server;
mod session;
mod shell;
mod sign_in;
mod snapshots;
mod source_detail;
mod source_form;
mod source_input;
mod source_kinds;
mod source_rows;
mod source_values;
mod sources;
mod theme;
mod theme_switch;
mod visit;
mod worker_detail;
mod workers;

use axum::{
    Router, middleware,
    routing::{get, post},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::hub::Hub;

/// Every page, and a page for every address that nothing else answers.
pub fn router() -> Router<Hub> {
    Router::new()
        .route("/", get(overview::show))
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/invitations/{token}", get(invitations::show).post(invitations::accept))
        .route("/sources", get(sources::list))
        .route("/sources/new", get(source_form::new).post(source_form::create))
        .route("/sources/{id}", get(source_detail::show))
        .route("/sources/{id}/edit", get(source_form::edit).post(source_form::update))
        .route("/sources/{id}/probe", post(source_detail::probe))
        .route("/sources/{id}/identity", post(source_detail::approve))
        .route("/sources/{id}/backups", post(source_detail::back_up))
        .route("/sources/{id}/remove", post(sources::remove))
        .route("/jobs", get(jobs::list))
        .route("/jobs/{id}", get(job_detail::show))
        .route("/jobs/{id}/cancel", post(job_detail::cancel))
        .route("/live", get(live::stream))
        .route("/snapshots", get(snapshots::list))
        .route("/snapshots/{id}", get(snapshots::show))
        .route("/snapshots/{id}/pin", post(snapshots::pin))
        .route("/snapshots/{id}/verify", post(snapshots::verify))
        .route("/snapshots/{id}/delete", post(snapshots::delete))
        .route("/snapshots/{id}/files", get(files::show))
        .route("/snapshots/{id}/restore", get(restore::show).post(restore::order))
        .route(
            "/snapshots/{id}/restore-to-server",
            get(restore_to_server::show).post(restore_to_server::look),
        )
        .route("/jobs/{id}/carry-out", post(restore_to_server::carry_out))
        .route(alerts::PATH, get(alerts::show))
        .route("/workers", get(workers::list))
        .route("/workers/{id}", get(worker_detail::show))
        .route("/workers/{id}/drain", post(worker_detail::drain))
        .route("/workers/{id}/undrain", post(worker_detail::undrain))
        .route("/workers/{id}/retire", post(worker_detail::retire))
        .route("/settings/members", get(members::list).post(members::add))
        .route("/settings/members/{id}/role", post(members::set_role))
        .route("/settings/members/{id}/remove", post(members::remove))
        .route("/settings/api-keys", get(api_keys::list).post(api_keys::create))
        .route("/settings/api-keys/{id}/revoke", post(api_keys::revoke))
        .route("/settings/recovery", get(recovery::show).post(recovery::download))
        .route("/theme", post(theme_switch::switch))
        .route("/static/{hash}/{name}", get(assets::get))
        .fallback(error::nothing_here)
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(middleware::from_fn(error::pages_for_errors))
}
