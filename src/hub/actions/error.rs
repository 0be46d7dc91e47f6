//! Why an action did not happen. Each variant is one kind of answer; nothing converts into
//! [`ActionError::Internal`] except faults of our own.

use crate::{
    crypto::envelope::EnvelopeError,
    db::DbError,
    domain::{field_error::FieldError, ids::JobId},
};

/// Why an action did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// Nobody we know, or no longer. 401.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// Known, but not allowed. 403.
    #[error("{0}")]
    Forbidden(String),
    /// Not there, or another tenant's. 404. Names what was looked for, never an id of it.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Cannot be done while things are as they are. 409.
    #[error("{0}")]
    Conflict(String),
    /// The source already has an active backup. 409 with its id.
    #[error("a backup of this source is already active: {0}")]
    ActiveBackup(JobId),
    /// Read, but not acceptable. 422.
    #[error("the request has invalid fields")]
    Invalid(Vec<FieldError>),
    /// Too often. 429.
    #[error("too many attempts; try again in {retry_after_s} s")]
    RateLimited {
        /// When trying again makes sense, in seconds.
        retry_after_s: u64,
    },
    /// Something this needs is away just now. 503.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of our own. 500; the cause goes to the log, not to the caller.
    #[error("internal fault: {0}")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ActionError {
    /// One invalid field.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(pointer, detail)])
    }

    /// Refuses if there is any fault.
    pub fn unless_valid(faults: Vec<FieldError>) -> Result<(), Self> {
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Self::Invalid(faults))
        }
    }

    /// A fault of our own.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }
}

impl From<DbError> for ActionError {
    fn from(error: DbError) -> Self {
        if error.is_away() {
            tracing::warn!(%error, "the database is away");
            Self::Unavailable("the database is not reachable just now; try again in a moment".into())
        } else {
            Self::internal(error)
        }
    }
}

impl From<EnvelopeError> for ActionError {
    fn from(error: EnvelopeError) -> Self {
        Self::internal(error)
    }
}

/// Turns running into `constraint` into a conflict that says `detail`; everything else stays what it is.
pub(super) fn conflict_on(error: DbError, constraint: &str, detail: &str) -> ActionError {
    if error.constraint() == Some(constraint) {
        ActionError::Conflict(detail.to_owned())
    } else {
        error.into()
    }
}
