//! Signing in and out.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use secrecy::SecretString;

use super::{
    error::{PageError, sentence},
    filters,
    form::{Form, Query},
    gate::Gate,
    session,
    visit::{Answer, Post},
};
use crate::hub::{
    Hub,
    actions::{
        ActionError,
        auth::{self, Credentials},
    },
    web::auth::PeerAddress,
};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    csrf: String,
    next: String,
    email: String,
    problem: Option<String>,
    signed_out: bool,
}

/// `GET /sign-in`
pub async fn show(gate: Gate, State(hub): State<Hub>, headers: HeaderMap, Query(query): Query) -> Answer {
    if session::actor(&hub, &headers).await.is_ok() {
        return Ok(Redirect::to(session::safe_path(query.text("next"))).into_response());
    }
    gate.page(&SignInPage {
        csrf: gate.csrf.clone(),
        next: session::safe_path(query.text("next")).to_owned(),
        email: String::new(),
        problem: None,
        signed_out: query.given("out").is_some(),
    })
}

/// `POST /sign-in`
pub async fn sign_in(
    gate: Gate,
    PeerAddress(from): PeerAddress,
    State(hub): State<Hub>,
    headers: HeaderMap,
    form: Form,
) -> Answer {
    if !session::gate_matches(&hub, &headers, form.text("csrf")) {
        return Err(PageError::forged());
    }
    let credentials = Credentials {
        email: form.text("email").trim().to_owned(),
        password: SecretString::from(form.text("password")),
    };
    let (status, problem) = match auth::sign_in_browser(&hub, &credentials, from).await {
        Ok(session) => return enter(&hub, &session, session::safe_path(form.text("next"))),
        Err(error @ ActionError::Unauthenticated(_)) => (StatusCode::UNAUTHORIZED, sentence(&error)),
        Err(error @ ActionError::RateLimited { .. }) => (StatusCode::TOO_MANY_REQUESTS, sentence(&error)),
        Err(other) => return Err(other.into()),
    };
    let mut response = gate.page(&SignInPage {
        csrf: gate.csrf.clone(),
        next: session::safe_path(form.text("next")).to_owned(),
        email: credentials.email,
        problem: Some(problem),
        signed_out: false,
    })?;
    *response.status_mut() = status;
    Ok(response)
}

/// Lets somebody in.
pub fn enter(hub: &Hub, session: &auth::BrowserSession, to: &str) -> Answer {
    let mut response: Response = Redirect::to(to).into_response();
    response
        .headers_mut()
        .append(header::SET_COOKIE, session::signed_in(hub, session)?);
    Ok(response)
}

/// `POST /sign-out`
pub async fn sign_out(Post { visit, .. }: Post) -> Answer {
    auth::sign_out(&visit.hub, &visit.actor).await?;
    let mut response = Redirect::to("/sign-in?out=1").into_response();
    response
        .headers_mut()
        .append(header::SET_COOKIE, session::signed_out(&visit.hub)?);
    Ok(response)
}
