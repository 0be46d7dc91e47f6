//! Query strings: known parameters, each at most once, read strictly.

use std::str::FromStr;

use axum::{extract::FromRequestParts, http::request::Parts};

use super::error::ApiError;
use crate::hub::actions::ListQuery;

/// The parameters of a query string.
#[derive(Debug)]
pub struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Ok(Self(
            pairs
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        ))
    }
}

impl Params {
    /// Refuses parameters that the call does not know, or knows once.
    pub fn only(self, known: &[&str]) -> Result<Self, ApiError> {
        for (i, (name, value)) in self.0.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let detail = format!("is not a parameter of this call; it takes: {}", known.join(", "));
                return Err(ApiError::invalid("/", format!("{:?} {detail}", shortened(name))));
            }
            if self.0[..i].iter().any(|(earlier, _)| earlier == name) {
                return Err(ApiError::invalid(format!("/{name}"), "is given twice"));
            }
            // Bytes that are no UTF-8 were replaced while decoding.
            if value.contains(['\0', char::REPLACEMENT_CHARACTER]) {
                return Err(ApiError::invalid(format!("/{name}"), "is not plain UTF-8 text"));
            }
        }
        Ok(self)
    }

    /// A parameter as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A parameter as a type; 422 if it is none.
    pub fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_| ApiError::invalid(format!("/{name}"), "is not a valid value"))
        };
        self.text(name).map(parse).transpose()
    }

    /// Which page of a list: `limit` and `cursor`.
    pub fn page(&self) -> Result<ListQuery, ApiError> {
        let default = ListQuery::default();
        Ok(ListQuery {
            limit: self.parsed("limit")?.unwrap_or(default.limit),
            cursor: self.text("cursor").map(str::to_owned),
        })
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(50).collect()
}

/// `limit` and `cursor` in the description of the API.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only described, never made")]
pub struct PageParams {
    /// Most items.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}
