//! What can go wrong over SFTP, and what the user is told.

use std::time::Duration;

use crate::domain::{entry::ProblemKind, error_code::ErrorCode, escaped::escape, job::JobError};

/// `SSH_FX_EOF`
pub const EOF: u32 = 1;
/// `SSH_FX_NO_SUCH_FILE`
pub const NO_SUCH_FILE: u32 = 2;
/// `SSH_FX_PERMISSION_DENIED`
pub const PERMISSION_DENIED: u32 = 3;

/// True if the server says that it has trouble of its own, a disk that does not answer for example, rather than that
/// the request cannot be met: `SSH_FX_FAILURE`, `SSH_FX_NO_CONNECTION`, `SSH_FX_CONNECTION_LOST`.
pub fn is_trouble(code: u32) -> bool {
    matches!(code, 4 | 6 | 7)
}

/// Why a request, or the whole conversation, failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SftpError {
    /// The server refused this one request.
    #[error("{message}")]
    Status {
        /// `SSH_FX_*`
        code: u32,
        /// The server's words, cleaned and shortened.
        message: String,
    },
    /// The server breaks the protocol, or sends what no honest one would.
    #[error("{0}")]
    Protocol(String),
    /// The source exceeds a limit.
    #[error("{0}")]
    Limit(String),
    /// The stream ended.
    #[error("the connection was closed")]
    Closed,
    /// Nothing came for too long.
    #[error("nothing was received for {} s", .0.as_secs())]
    Stalled(Duration),
    /// Not the source's fault: whoever takes the data stopped.
    #[error("{0}")]
    Stopped(JobError),
}

impl SftpError {
    /// A refusal of one request, from the server's words.
    pub fn status(code: u32, message: &[u8]) -> Self {
        let known = match code {
            NO_SUCH_FILE => "no such file",
            PERMISSION_DENIED => "permission denied",
            EOF => "end of file",
            8 => "the server does not support this",
            _ => "",
        };
        let message: String = match known {
            "" => escape(message).chars().take(200).collect(),
            known => known.to_owned(),
        };
        Self::Status { code, message }
    }

    /// The status code, if one request was refused and the conversation goes on.
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::Status { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// What a refused request for one path means for the backup; `None` if the conversation is over.
    pub fn problem(&self) -> Option<ProblemKind> {
        self.code().map(|code| match code {
            NO_SUCH_FILE => ProblemKind::Vanished,
            _ => ProblemKind::Unreadable,
        })
    }

    /// The error of the job; `place` is `host:port`.
    pub fn into_job_error(self, place: &str) -> JobError {
        match self {
            Self::Status { code, message } => {
                let error = JobError::new(
                    ErrorCode::ProtocolError,
                    format!("{place} refused a request it must answer: {message}"),
                    "Check the server's SFTP settings.",
                );
                match is_trouble(code) {
                    true => error.transient(),
                    false => error,
                }
            }
            Self::Protocol(what) => JobError::new(
                ErrorCode::ProtocolError,
                format!("{place} does not keep to the SFTP protocol: {what}"),
                "The server is faulty or not to be trusted; check its SFTP software.",
            ),
            Self::Limit(what) => JobError::new(
                ErrorCode::SourceLimit,
                format!("{place} exceeds a limit: {what}"),
                "Exclude that path, or split the source into several.",
            ),
            Self::Closed => JobError::new(
                ErrorCode::TransferInterrupted,
                format!("{place} closed the connection in the middle of the transfer"),
                "It is tried again by itself. If it keeps happening, look into the server's log.",
            ),
            Self::Stalled(time) => JobError::new(
                ErrorCode::TransferInterrupted,
                format!("{place} sent nothing for {} s", time.as_secs()),
                "It is tried again by itself. A hanging disk or network share on the server can cause this.",
            ),
            Self::Stopped(error) => error,
        }
    }
}

impl From<JobError> for SftpError {
    fn from(error: JobError) -> Self {
        Self::Stopped(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_in_trouble_is_asked_again_and_a_refusal_stands() {
        for (code, transient) in [
            (2, false),
            (3, false),
            (4, true),
            (5, false),
            (6, true),
            (7, true),
            (8, false),
        ] {
            let error = SftpError::status(code, b"why").into_job_error("web1:22");
            assert_eq!(error.is_transient(), transient, "status {code}");
        }
        assert!(SftpError::Closed.into_job_error("web1:22").is_transient());
        assert!(
            SftpError::Stalled(Duration::from_secs(1))
                .into_job_error("web1:22")
                .is_transient()
        );
        assert!(
            !SftpError::Limit("depth".into())
                .into_job_error("web1:22")
                .is_transient()
        );
        assert!(
            !SftpError::Protocol("length".into())
                .into_job_error("web1:22")
                .is_transient()
        );
    }
}
