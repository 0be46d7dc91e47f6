//! Choosing light or dark.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Redirect},
};
use chrono::TimeDelta;

use super::{
    form::Form,
    session,
    theme::{COOKIE, Theme},
    visit::Answer,
};
use crate::hub::Hub;

/// `POST /theme`: for anybody, so it takes no token; all it can do is change colours.
pub async fn switch(State(hub): State<Hub>, form: Form) -> Answer {
    let theme = Theme::parse(form.text("theme"));
    let mut response = Redirect::to(session::safe_path(form.text("back"))).into_response();
    let cookie = session::set_cookie(&hub, COOKIE, theme.name(), TimeDelta::days(365))?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}
