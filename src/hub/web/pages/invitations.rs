//! Accepting an invitation: the page its link leads to.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    error::PageError, field_errors::FieldErrors, filters, form::Form, gate::Gate, session, sign_in, visit::Answer,
};
use crate::{
    domain::field_error::FieldError,
    hub::{
        Hub,
        actions::{
            ActionError,
            auth::{self, Credentials},
            invitations::{self, InvitationView},
        },
        web::auth::PeerAddress,
    },
};

#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationPage {
    csrf: String,
    token: String,
    invitation: InvitationView,
    errors: FieldErrors,
}

/// A link that is used up or too old says so instead of "not found".
fn dead(error: ActionError) -> PageError {
    match error {
        ActionError::NotFound(_) => PageError::new(
            StatusCode::NOT_FOUND,
            "This invitation was used already or is too old. Ask whoever sent it for a new one.",
        ),
        other => other.into(),
    }
}

/// `GET /invitations/{token}`
pub async fn show(gate: Gate, State(hub): State<Hub>, Path(token): Path<String>) -> Answer {
    let invitation = invitations::get(&hub, &SecretString::from(token.as_str()))
        .await
        .map_err(dead)?;
    gate.page(&InvitationPage {
        csrf: gate.csrf.clone(),
        token,
        invitation,
        errors: FieldErrors::default(),
    })
}

/// `POST /invitations/{token}`
pub async fn accept(
    gate: Gate,
    PeerAddress(from): PeerAddress,
    State(hub): State<Hub>,
    Path(token): Path<String>,
    headers: HeaderMap,
    form: Form,
) -> Answer {
    if !session::gate_matches(&hub, &headers, form.text("csrf")) {
        return Err(PageError::forged());
    }
    let secret = SecretString::from(token.as_str());
    let invitation = invitations::get(&hub, &secret).await.map_err(dead)?;
    let password = form.secret("password").filter(|_| invitation.needs_password);
    let differs = invitation.needs_password && form.text("password") != form.text("repeat");
    let accepted = match differs {
        true => Err(ActionError::Invalid(vec![FieldError::new(
            "/repeat",
            "is not the same as above",
        )])),
        false => invitations::accept(&hub, &secret, password.clone()).await,
    };
    match accepted {
        Ok(()) => {}
        Err(ActionError::Invalid(faults)) => {
            let mut response = gate.page(&InvitationPage {
                csrf: gate.csrf.clone(),
                token,
                invitation,
                errors: faults.into(),
            })?;
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(response);
        }
        Err(other) => return Err(dead(other)),
    }
    let Some(password) = password else {
        return Ok(Redirect::to("/sign-in").into_response());
    };
    let credentials = Credentials {
        email: invitation.email,
        password: SecretString::from(password.expose_secret()),
    };
    let session = auth::sign_in_browser(&hub, &credentials, from).await?;
    sign_in::enter(&hub, &session, "/")
}
