//! What can go wrong over FTP, and what the user is told.

use std::time::Duration;

use suppaftp::ReplyTooLarge;

use super::{below::Below, reply::Reply};
use crate::domain::{error_code::ErrorCode, job::JobError};

/// Why a request, or the whole conversation, failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FtpError {
    /// The server refused this one request; the conversation goes on.
    #[error("{0}")]
    Refused(Reply),
    /// The name cannot be sent: commands are lines.
    #[error("its name has a line break, which FTP cannot carry")]
    Unspeakable,
    /// The server breaks the protocol, or sends what no honest one would.
    #[error("{0}")]
    Protocol(String),
    /// The source exceeds a limit.
    #[error("{0}")]
    Limit(String),
    /// The connection is over.
    #[error("the connection was closed ({0})")]
    Lost(String),
    /// Nothing came for too long.
    #[error("nothing was received for {} s", .0.as_secs())]
    Stalled(Duration),
    /// Decided elsewhere: no login, an identity that changed, or whoever takes the data stopped.
    #[error("{0}")]
    Stopped(JobError),
}

impl FtpError {
    /// What an error of suppaftp means. Where it is one of ours, `below` has it.
    pub fn of(error: suppaftp::FtpError, below: &Below) -> Self {
        use suppaftp::FtpError as Theirs;
        if let Some(ours) = below.take_fault() {
            return ours;
        }
        match error {
            Theirs::UnexpectedResponse(response) => match Reply::read(&response.body) {
                Ok(reply) => Self::Refused(reply),
                Err(error) => error,
            },
            Theirs::ConnectionError(error) if error.get_ref().is_some_and(|inner| inner.is::<ReplyTooLarge>()) => {
                Self::Limit(error.to_string())
            }
            Theirs::ConnectionError(error) => error.into(),
            other => Self::Protocol(other.to_string()),
        }
    }

    /// True if a new connection may do better.
    pub fn is_of_connection(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Stalled(_))
    }

    /// The error of the job; `place` is `host:port`.
    pub fn into_job_error(self, place: &str) -> JobError {
        match self {
            Self::Refused(reply) => JobError::new(
                ErrorCode::ProtocolError,
                format!("{place} refused a request it must answer: {reply}"),
                "Check the settings of the FTP server.",
            ),
            Self::Unspeakable => JobError::new(
                ErrorCode::ProtocolError,
                format!("a path on {place} has a line break, which FTP cannot carry"),
                "Correct the source's paths.",
            ),
            Self::Protocol(what) => JobError::new(
                ErrorCode::ProtocolError,
                format!("{place} does not keep to the FTP protocol: {what}"),
                "The server is faulty or not to be trusted; check its FTP software.",
            ),
            Self::Limit(what) => JobError::new(
                ErrorCode::SourceLimit,
                format!("{place} exceeds a limit: {what}"),
                "Exclude that path, or split the source into several.",
            ),
            Self::Lost(what) => JobError::new(
                ErrorCode::TransferInterrupted,
                format!("{place} closed the connection in the middle of the transfer ({what})"),
                "It is tried again by itself. If it keeps happening, look into the server's log.",
            ),
            Self::Stalled(time) => JobError::new(
                ErrorCode::TransferInterrupted,
                format!("{place} sent nothing for {} s", time.as_secs()),
                "It is tried again by itself. A firewall that drops FTP data connections can cause this.",
            ),
            Self::Stopped(error) => error,
        }
    }
}

impl From<JobError> for FtpError {
    fn from(error: JobError) -> Self {
        Self::Stopped(error)
    }
}

impl From<std::io::Error> for FtpError {
    fn from(error: std::io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}
