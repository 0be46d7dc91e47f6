//! Sources read over FTP.

use serde::{Deserialize, Serialize};

use super::{
    CredentialField, Credentials,
    checks::{check_ca, check_exclude, check_host, check_paths, check_port, check_user},
};
use crate::domain::field_error::FieldError;

/// Most connections at the same time that a source may allow.
const MAX_CONNECTIONS: u8 = 16;

/// Where and what to capture over FTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FtpConfig {
    /// Host name or address, IPv6 without brackets.
    pub host: String,
    /// TCP port of the control connection.
    #[serde(default = "ftp_port")]
    pub port: u16,
    /// Login name.
    pub user: String,
    /// What to capture: absolute paths, or paths relative to the login directory.
    pub paths: Vec<String>,
    /// Globs of what to leave out; the same syntax for every kind of source.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Whether the connection is encrypted. Plain FTP must be asked for.
    #[serde(default)]
    pub tls: FtpTls,
    /// The only authorities (PEM) that may issue the server's certificate; the system's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Connections at the same time, 1 to 16. A server that allows fewer gets fewer.
    #[serde(default = "connections")]
    pub connections: u8,
}

/// Whether an FTP connection is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FtpTls {
    /// Explicit TLS (`AUTH TLS`) for commands and data, with a certificate that is valid or approved.
    #[default]
    Required,
    /// None: password and files are readable on the way.
    None,
}

fn ftp_port() -> u16 {
    21
}

fn connections() -> u8 {
    6
}

impl FtpConfig {
    /// Every fault of the configuration; empty if it is acceptable. Pointers are relative to the
    /// request's root (`/config/host`).
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_host("/config/host", &self.host, &mut errors);
        check_port("/config/port", self.port, &mut errors);
        check_user("/config/user", &self.user, &mut errors);
        check_paths(&self.paths, &mut errors);
        for (i, path) in self.paths.iter().enumerate() {
            if path.contains(['\r', '\n']) {
                let fault = "has a line break, which FTP cannot carry";
                errors.push(FieldError::new(format!("/config/paths/{i}"), fault));
            }
        }
        check_exclude(&self.exclude, &mut errors);
        if let Some(ca) = &self.ca {
            check_ca("/config/ca", ca, &mut errors);
            if self.tls == FtpTls::None {
                errors.push(FieldError::new("/config/ca", "is of no use without TLS"));
            }
        }
        if !(1..=MAX_CONNECTIONS).contains(&self.connections) {
            errors.push(FieldError::new(
                "/config/connections",
                format!("must be between 1 and {MAX_CONNECTIONS}"),
            ));
        }
        errors
    }

    /// Faults in the credentials for the login.
    pub fn validate_login(&self, credentials: &Credentials) -> Vec<FieldError> {
        match credentials.get(CredentialField::Password) {
            Some(_) => Vec::new(),
            None => vec![FieldError::new("/credentials", "give a password")],
        }
    }
}
