//! Errors as pages: what happened and a way out. Causes of our own faults go to the log only.

use std::{any::Any, time::Duration};

use askama::Template;
use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::{
    filters,
    render::{self, Setting},
    theme::Theme,
};
use crate::hub::actions::ActionError;

/// How long a page may take; a little less than any request, so that the visitor sees a page.
const TIME_LIMIT: Duration = Duration::from_secs(25);

/// Why a page cannot be shown.
#[derive(Debug, Clone)]
pub struct PageError {
    status: StatusCode,
    detail: String,
    retry_after_s: Option<u64>,
}

impl PageError {
    /// An error with a sentence for the visitor.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            retry_after_s: None,
        }
    }

    /// A fault of our own.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a page failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The fault is ours and has been noted. Trying again may help.",
        )
    }

    /// The address leads nowhere, or to what belongs to somebody else.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "There is nothing at this address, or it is not yours to see.",
        )
    }

    /// The form's token is missing or stale.
    pub fn forged() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "The form was too old, or did not come from xVault. Go back, reload the page and try again.",
        )
    }
}

impl From<ActionError> for PageError {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::Unauthenticated(_) => Self::new(StatusCode::UNAUTHORIZED, sentence(&error)),
            ActionError::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, sentence(&error)),
            ActionError::NotFound(_) => Self::not_found(),
            ActionError::Conflict(_) | ActionError::ActiveBackup(_) => {
                Self::new(StatusCode::CONFLICT, sentence(&error))
            }
            ActionError::Invalid(faults) => {
                let details: Vec<String> = faults.into_iter().map(|fault| fault.detail).collect();
                Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    format!("What was sent is not acceptable: {}.", details.join("; ")),
                )
            }
            ActionError::RateLimited { retry_after_s } => Self {
                retry_after_s: Some(retry_after_s),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, sentence(&error))
            },
            ActionError::Unavailable(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, sentence(&error)),
            other => Self::internal(other),
        }
    }
}

/// The error with a capital letter and a full stop.
pub fn sentence(error: &ActionError) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let capital: String = chars
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(chars).collect());
    format!("{}.", capital.trim_end_matches('.'))
}

impl IntoResponse for PageError {
    /// Bare; [`pages_for_errors`] makes the page, which needs the visitor's colours.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    status: u16,
    title: &'static str,
    detail: String,
    way_out: (&'static str, &'static str),
}

/// Turns bare errors into pages, and a missing sign-in into the way there.
pub async fn pages_for_errors(request: Request, next: Next) -> Response {
    let theme = Theme::of(request.headers());
    let here = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    let is_read = request.method().is_safe();
    let answer = tokio::time::timeout(TIME_LIMIT, next.run(request)).await;
    let response = answer.unwrap_or_else(|_| StatusCode::SERVICE_UNAVAILABLE.into_response());
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() || is_page(&response) {
        return response;
    }
    let error = response.extensions().get::<PageError>().cloned();
    let error = error.unwrap_or_else(|| by_status(status));
    if error.status == StatusCode::UNAUTHORIZED {
        return sign_in_first(&here, is_read);
    }
    let setting = Setting::of_error(theme, if is_read { here } else { "/".to_owned() });
    show(error, &setting)
}

/// An error that has its page already: a form shown again.
fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

fn show(error: PageError, setting: &Setting) -> Response {
    let page = ErrorPage {
        status: error.status.as_u16(),
        title: title(error.status),
        detail: error.detail,
        way_out: ("/", "To the overview"),
    };
    let Ok(mut shown) = render::page(&page, setting) else {
        return error.status.into_response();
    };
    *shown.status_mut() = error.status;
    if let Some(seconds) = error.retry_after_s {
        shown
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    shown
}

fn sign_in_first(here: &str, is_read: bool) -> Response {
    let next: String = match is_read && here != "/" {
        true => url::form_urlencoded::Serializer::for_suffix("?".to_owned(), 1)
            .append_pair("next", here)
            .finish(),
        false => String::new(),
    };
    Redirect::to(&format!("/sign-in{next}")).into_response()
}

/// For addresses that no route knows.
pub async fn nothing_here() -> PageError {
    PageError::not_found()
}

/// The bare answer after a panic.
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
    PageError::internal(message.unwrap_or("a panic without words")).into_response()
}

/// For errors that no handler of ours made.
fn by_status(status: StatusCode) -> PageError {
    match status {
        StatusCode::NOT_FOUND => PageError::not_found(),
        StatusCode::METHOD_NOT_ALLOWED => PageError::new(status, "This address does not take that kind of request."),
        StatusCode::PAYLOAD_TOO_LARGE => PageError::new(status, "The form is larger than xVault accepts."),
        StatusCode::REQUEST_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE => {
            PageError::new(status, "xVault could not answer in time. Try again in a moment.")
        }
        status if status.is_client_error() => PageError::new(status, "The request could not be understood."),
        status => PageError::new(status, "The fault is ours. Trying again may help."),
    }
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::METHOD_NOT_ALLOWED => "Not here",
        StatusCode::CONFLICT => "Not now",
        StatusCode::PAYLOAD_TOO_LARGE => "Too large",
        StatusCode::TOO_MANY_REQUESTS => "Too often",
        StatusCode::SERVICE_UNAVAILABLE => "Away for a moment",
        status if status.is_client_error() => "That did not work",
        _ => "Something broke",
    }
}
