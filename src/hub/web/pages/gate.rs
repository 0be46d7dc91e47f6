//! Pages before signing in: their form token, and the cookie it belongs to.

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
};

use super::{
    error::PageError,
    render::{self, Setting},
    session,
    theme::Theme,
    visit::Answer,
};
use crate::hub::Hub;

/// Somebody at the gate.
pub struct Gate {
    /// Token for the form.
    pub csrf: String,
    cookie: HeaderValue,
    setting: Setting,
}

impl Gate {
    /// Shows a page with a form.
    pub fn page(&self, template: &impl askama::Template) -> Answer {
        let mut response = render::page(template, &self.setting)?;
        response.headers_mut().append(header::SET_COOKIE, self.cookie.clone());
        Ok(response)
    }
}

impl FromRequestParts<Hub> for Gate {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, hub: &Hub) -> Result<Self, PageError> {
        let (csrf, cookie) = session::gate(hub, &parts.headers)?;
        let setting = Setting {
            now: hub.clock.now(),
            theme: Theme::of(&parts.headers),
            here: parts.uri.path().to_owned(),
        };
        Ok(Self { csrf, cookie, setting })
    }
}
