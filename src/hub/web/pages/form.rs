//! What a form or a query carries: names and values, some of them several times.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, request::Parts},
};
use secrecy::{SecretString, zeroize::Zeroize};

use super::error::PageError;
use crate::hub::Hub;

/// Names and values as they were sent. Passwords pass through here, so it has no `Debug` and is wiped.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `a=1&b=2`.
    pub fn parse(encoded: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(encoded);
        Self(
            pairs
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    /// The first value of a field; empty if it is absent.
    pub fn text(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// The first value of a field, unless it is absent or empty.
    pub fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|value| !value.is_empty())
    }

    /// Every value of a field.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A secret, unless it is absent or empty.
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.given(name).map(SecretString::from)
    }

    /// The lines of a text area that hold something. Blanks at their ends are kept: names may have them.
    pub fn lines(&self, name: &str) -> Vec<String> {
        let lines = self.text(name).lines().map(|line| line.trim_end_matches('\r'));
        lines
            .filter(|line| !line.trim().is_empty())
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Form {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(_, value)| value.zeroize());
    }
}

impl FromRequest<Hub> for Form {
    type Rejection = PageError;

    async fn from_request(request: Request, hub: &Hub) -> Result<Self, PageError> {
        let body = Bytes::from_request(request, hub).await.map_err(|rejection| {
            let status = rejection.status();
            let detail = match status {
                StatusCode::PAYLOAD_TOO_LARGE => "The form is larger than xVault accepts.",
                _ => "The form did not arrive whole. Send it again.",
            };
            PageError::new(status, detail)
        })?;
        Ok(Self::parse(&body))
    }
}

/// What stands behind the `?` of an address.
pub struct Query(pub Form);

impl FromRequestParts<Hub> for Query {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &Hub) -> Result<Self, PageError> {
        Ok(Self(Form::parse(parts.uri.query().unwrap_or_default().as_bytes())))
    }
}
