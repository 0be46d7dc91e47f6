//! Sources read over SSH or SFTP.

use serde::{Deserialize, Serialize};

use super::{
    CredentialField, Credentials,
    checks::{check_exclude, check_host, check_paths, check_port, check_user},
};
use crate::domain::field_error::FieldError;

/// Where and what to capture over SSH or SFTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SshConfig {
    /// Host name or address, IPv6 without brackets.
    pub host: String,
    /// TCP port.
    #[serde(default = "ssh_port")]
    pub port: u16,
    /// Login name.
    pub user: String,
    /// What to capture: absolute paths, or paths relative to the login directory.
    pub paths: Vec<String>,
    /// Globs of what to leave out; the syntax is described in [`super::exclude`].
    #[serde(default)]
    pub exclude: Vec<String>,
    /// A host to go through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<JumpConfig>,
}

/// The host a connection goes through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JumpConfig {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    #[serde(default = "ssh_port")]
    pub port: u16,
    /// Login name.
    pub user: String,
}

pub(super) fn ssh_port() -> u16 {
    22
}

impl SshConfig {
    /// Every fault of the configuration; empty if it is acceptable. Pointers are relative to the
    /// request's root (`/config/host`).
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = self.validate_access();
        check_paths(&self.paths, &mut errors);
        check_exclude(&self.exclude, &mut errors);
        errors
    }

    /// Faults in the way to the machine.
    pub(super) fn validate_access(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_host("/config/host", &self.host, &mut errors);
        check_port("/config/port", self.port, &mut errors);
        check_user("/config/user", &self.user, &mut errors);
        if let Some(jump) = &self.jump {
            check_host("/config/jump/host", &jump.host, &mut errors);
            check_port("/config/jump/port", jump.port, &mut errors);
            check_user("/config/jump/user", &jump.user, &mut errors);
        }
        errors
    }

    /// Faults in the combination of credentials for the login, and for the jump host's if there is one.
    pub fn validate_logins(&self, credentials: &Credentials) -> Vec<FieldError> {
        use CredentialField::{JumpPassword, JumpPrivateKey, Passphrase, Password, PrivateKey};
        let set = |field| credentials.get(field).is_some();
        let mut errors = Vec::new();
        if !set(PrivateKey) && !set(Password) {
            errors.push(FieldError::new("/credentials", "give a private_key or a password"));
        }
        if set(Passphrase) && !set(PrivateKey) {
            errors.push(FieldError::new(
                "/credentials/passphrase",
                "is given without a private_key",
            ));
        }
        if self.jump.is_some() && !set(JumpPrivateKey) && !set(JumpPassword) {
            errors.push(FieldError::new(
                "/credentials",
                "the jump host needs a jump_private_key or a jump_password",
            ));
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(host: &str, user: &str) -> SshConfig {
        SshConfig {
            host: host.into(),
            port: 22,
            user: user.into(),
            paths: vec!["/srv".into()],
            exclude: vec![],
            jump: None,
        }
    }

    #[test]
    fn options_in_disguise_are_refused() {
        assert!(config("web1.example.com", "deploy").validate().is_empty());
        assert!(config("2001:db8::1", "deploy").validate().is_empty());
        for (host, user) in [
            ("-oProxyCommand=x", "a"),
            ("h", "-l"),
            ("h:22", "a"),
            ("h i", "a"),
            ("h", "a b"),
            ("", "a"),
        ] {
            assert!(!config(host, user).validate().is_empty(), "{host:?} {user:?}");
        }
    }
}
