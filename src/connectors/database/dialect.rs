//! What goes wrong before a login is over, in the same words for every protocol.

use std::io;

use crate::domain::{error_code::ErrorCode, job::JobError};

/// A protocol, as messages name it.
pub struct Dialect {
    /// `MySQL`
    pub protocol: &'static str,
    /// Who speaks it: `MySQL or MariaDB`
    pub servers: &'static str,
    /// The server's settings that switch TLS on.
    pub tls_settings: &'static str,
    /// What to do where a password would be readable.
    pub without_tls: &'static str,
}

impl Dialect {
    /// The connection broke, or what came is not of this protocol (`InvalidData`).
    pub fn broken(&self, place: &str, error: &io::Error) -> JobError {
        if error.kind() == io::ErrorKind::InvalidData {
            return self.not_spoken(place);
        }
        JobError::new(
            ErrorCode::ConnectFailed,
            format!("{place} broke off before the login was over: {error}"),
            format!("Check host and port, and that a {} server answers there.", self.servers),
        )
    }

    /// Something else answers.
    pub fn not_spoken(&self, place: &str) -> JobError {
        JobError::new(
            ErrorCode::ProtocolError,
            format!("{place} does not speak {}'s protocol", self.protocol),
            format!(
                "Check host and port: something other than a {} server answers there.",
                self.servers
            ),
        )
    }

    /// TLS is wanted, and the server has none.
    pub fn no_tls(&self, place: &str) -> JobError {
        JobError::new(
            ErrorCode::TlsFailed,
            format!("{place} does not offer TLS. Nothing was sent"),
            format!(
                "Switch TLS on in the server ({}), reach it over SSH, or choose \"none\" to send everything in the clear.",
                self.tls_settings
            ),
        )
    }

    /// The server wants the password as it is, over a plain connection.
    pub fn needs_tls(&self, place: &str) -> JobError {
        JobError::new(
            ErrorCode::TlsRequired,
            format!("{place} asks for the password itself, which would be readable on the way. It was not sent"),
            self.without_tls,
        )
    }
}
