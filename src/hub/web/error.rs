//! Every way a request to the API can fail, and its answer.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::problem::Problem;
use crate::{domain::field_error::FieldError, hub::actions::ActionError};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The action said no.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// Not readable as what it should be. 400.
    #[error("{0}")]
    Malformed(String),
    /// No such path. 404.
    #[error("there is nothing at this address")]
    NoSuchPath,
    /// The path does not take this method. 405.
    #[error("this address does not take this method")]
    NoSuchMethod,
    /// Longer than a request may be. 413.
    #[error("the request's body is longer than {} bytes", super::layers::MAX_BODY)]
    TooLarge,
    /// Not JSON by its own account. 415.
    #[error("send JSON with the header Content-Type: application/json")]
    NotJson,
    /// The same request is being carried out just now. 409.
    #[error("a request with this Idempotency-Key is being carried out just now")]
    InProgress,
    /// Took too long. 503.
    #[error("the hub was too busy to answer in time; try again")]
    TimedOut,
}

impl ApiError {
    /// One invalid field or parameter.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        ActionError::invalid(pointer, detail).into()
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let detail = error.to_string();
        let (status, slug) = match &error {
            ApiError::Action(action) => status_of(action),
            ApiError::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed"),
            ApiError::NoSuchPath => (StatusCode::NOT_FOUND, "not_found"),
            ApiError::NoSuchMethod => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            ApiError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            ApiError::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json"),
            ApiError::InProgress => (StatusCode::CONFLICT, "in_progress"),
            ApiError::TimedOut => (StatusCode::SERVICE_UNAVAILABLE, "timed_out"),
        };
        let problem = Self::new(status, slug, detail);
        match error {
            ApiError::Action(ActionError::Invalid(errors)) => Self {
                detail: summary(&errors),
                errors,
                ..problem
            },
            ApiError::Action(ActionError::ActiveBackup(job)) => Self {
                active_job_id: Some(job),
                ..problem
            },
            ApiError::Action(ActionError::RateLimited { retry_after_s }) => Self {
                retry_after: Some(retry_after_s),
                ..problem
            },
            ApiError::Action(ActionError::Internal(_)) => Self {
                detail: "something went wrong on our side; the hub's log has the cause under this request's id".into(),
                ..problem
            },
            ApiError::Action(ActionError::Unavailable(_)) | ApiError::TimedOut => Self {
                retry_after: Some(5),
                ..problem
            },
            ApiError::InProgress => Self {
                retry_after: Some(1),
                ..problem
            },
            _ => problem,
        }
    }
}

fn status_of(error: &ActionError) -> (StatusCode, &'static str) {
    match error {
        ActionError::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthenticated"),
        ActionError::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
        ActionError::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
        ActionError::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
        ActionError::ActiveBackup(_) => (StatusCode::CONFLICT, "active_backup"),
        ActionError::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        ActionError::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
        ActionError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        ActionError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

fn summary(errors: &[FieldError]) -> String {
    match errors {
        [one] => format!("{} {}", one.pointer, one.detail),
        many => format!("{} fields are invalid", many.len()),
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Self::Action(ActionError::Internal(cause)) = &self {
            tracing::error!(error = %cause, "a request failed");
        }
        Problem::from(self).into_response()
    }
}
