//! From a template to a response.

use std::any::Any;

use askama::{Template, Values};
use axum::{
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use chrono::{DateTime, Utc};

use super::{
    error::PageError,
    filters::context::{HERE, NOW, THEME},
    theme::Theme,
};

/// What a page is made for.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The moment.
    pub now: DateTime<Utc>,
    /// The visitor's colours.
    pub theme: Theme,
    /// Path and query, to come back to after the colours were changed.
    pub here: String,
}

impl Setting {
    /// For an error; its page shows no relative times.
    pub fn of_error(theme: Theme, here: String) -> Self {
        Self {
            now: DateTime::UNIX_EPOCH,
            theme,
            here,
        }
    }
}

impl Values for Setting {
    fn get_value<'a>(&'a self, key: &str) -> Option<&'a dyn Any> {
        match key {
            NOW => Some(&self.now),
            THEME => Some(&self.theme),
            HERE => Some(&self.here),
            _ => None,
        }
    }
}

/// Renders a page. Pages hold a tenant's data, so nobody on the way may keep them.
pub fn page(template: &impl Template, setting: &Setting) -> Result<Response, PageError> {
    let html = template.render_with_values(setting).map_err(PageError::internal)?;
    let mut response = Html(html).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
