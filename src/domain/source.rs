//! Sources: what a user says about a server, and the rules that make it acceptable.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{exclude::ExcludeSet, field_error::FieldError};

/// The kind of a source; it decides the connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A server with a shell: remote `tar`, or SFTP on the same connection.
    Ssh,
    /// An account that serves SFTP; no command is ever run.
    Sftp,
}

impl SourceKind {
    /// Every kind.
    pub const ALL: &'static [SourceKind] = &[Self::Ssh, Self::Sftp];

    /// The stable text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Sftp => "sftp",
        }
    }
}

impl std::str::FromStr for SourceKind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("unknown kind {text:?}; one of: ssh, sftp"))
    }
}

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

fn ssh_port() -> u16 {
    22
}

/// Most include paths, and most exclude globs, of one source.
pub const MAX_PATTERNS: usize = 500;

impl SshConfig {
    /// Every fault of the configuration; empty if it is acceptable. Pointers are relative to the
    /// request's root (`/config/host`).
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check_host("/config/host", &self.host, &mut errors);
        check_port("/config/port", self.port, &mut errors);
        check_user("/config/user", &self.user, &mut errors);
        if let Some(jump) = &self.jump {
            check_host("/config/jump/host", &jump.host, &mut errors);
            check_port("/config/jump/port", jump.port, &mut errors);
            check_user("/config/jump/user", &jump.user, &mut errors);
        }
        if self.paths.is_empty() {
            errors.push(FieldError::new(
                "/config/paths",
                "name at least one path, for example /srv/www",
            ));
        }
        for (list, name) in [(&self.paths, "paths"), (&self.exclude, "exclude")] {
            if list.len() > MAX_PATTERNS {
                errors.push(FieldError::new(
                    format!("/config/{name}"),
                    format!("at most {MAX_PATTERNS} entries"),
                ));
            }
            for (i, text) in list.iter().enumerate() {
                let pointer = format!("/config/{name}/{i}");
                if text.trim().is_empty() {
                    errors.push(FieldError::new(pointer, "is empty"));
                } else if text.contains('\0') {
                    errors.push(FieldError::new(pointer, "has a NUL byte"));
                } else if text.len() > 4096 {
                    errors.push(FieldError::new(pointer, "is longer than 4096 bytes"));
                } else if text.split('/').any(|part| part == "..") {
                    errors.push(FieldError::new(pointer, "has a `..` component"));
                } else if name == "exclude"
                    && let Err(invalid) = ExcludeSet::check(text)
                {
                    errors.push(FieldError::new(pointer, invalid.to_string()));
                }
            }
        }
        errors
    }
}

/// ssh takes the destination without `--`, so neither part may look like an option.
fn check_host(pointer: &str, host: &str, errors: &mut Vec<FieldError>) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || host.len() > 253 || host.starts_with('-') || !host.chars().all(allowed) {
        errors.push(FieldError::new(
            pointer,
            "must be a host name or an IP address (IPv6 without brackets), for example web1.example.com",
        ));
    } else if host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_err() {
        errors.push(FieldError::new(
            pointer,
            "has a colon but is no IPv6 address; the port has its own field",
        ));
    }
}

fn check_port(pointer: &str, port: u16, errors: &mut Vec<FieldError>) {
    if port == 0 {
        errors.push(FieldError::new(pointer, "must be between 1 and 65535"));
    }
}

fn check_user(pointer: &str, user: &str, errors: &mut Vec<FieldError>) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | '+' | '\\' | '$');
    if user.is_empty() || user.len() > 128 || user.starts_with('-') || !user.chars().all(plain) {
        errors.push(FieldError::new(
            pointer,
            "must be a login name: letters, digits and . - _ @ + \\ $, not starting with a dash",
        ));
    }
}

/// What opens an SSH or SFTP source. Never serialised except through [`SshCredentials::to_sealable`]
/// or towards the worker that holds the job.
#[derive(Debug, Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SshCredentials {
    /// OpenSSH or PEM private key.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub private_key: Option<SecretString>,
    /// Passphrase of `private_key`.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub passphrase: Option<SecretString>,
    /// Password of the login.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub password: Option<SecretString>,
    /// Private key for the jump host.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub jump_private_key: Option<SecretString>,
    /// Passphrase of `jump_private_key`.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub jump_passphrase: Option<SecretString>,
    /// Password of the login on the jump host.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only)]
    pub jump_password: Option<SecretString>,
}

impl SshCredentials {
    /// Every credential field: its name and its value, if set. The name is what the AEAD binds.
    pub fn fields(&self) -> [(&'static str, Option<&SecretString>); 6] {
        [
            ("private_key", self.private_key.as_ref()),
            ("passphrase", self.passphrase.as_ref()),
            ("password", self.password.as_ref()),
            ("jump_private_key", self.jump_private_key.as_ref()),
            ("jump_passphrase", self.jump_passphrase.as_ref()),
            ("jump_password", self.jump_password.as_ref()),
        ]
    }

    /// Sets one field by name; unknown names are ignored and reported as `false`.
    pub fn set(&mut self, field: &str, value: SecretString) -> bool {
        let slot = match field {
            "private_key" => &mut self.private_key,
            "passphrase" => &mut self.passphrase,
            "password" => &mut self.password,
            "jump_private_key" => &mut self.jump_private_key,
            "jump_passphrase" => &mut self.jump_passphrase,
            "jump_password" => &mut self.jump_password,
            _ => return false,
        };
        *slot = Some(value);
        true
    }

    /// Faults in the combination of credentials for `config`.
    pub fn validate(&self, config: &SshConfig) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let set = |s: &Option<SecretString>| s.as_ref().is_some_and(|s| !s.expose_secret().is_empty());
        if !set(&self.private_key) && !set(&self.password) {
            errors.push(FieldError::new("/credentials", "give a private_key or a password"));
        }
        if set(&self.passphrase) && !set(&self.private_key) {
            errors.push(FieldError::new(
                "/credentials/passphrase",
                "is given without a private_key",
            ));
        }
        if config.jump.is_some() && !set(&self.jump_private_key) && !set(&self.jump_password) {
            errors.push(FieldError::new(
                "/credentials",
                "the jump host needs a jump_private_key or a jump_password",
            ));
        }
        for (name, value) in self.fields() {
            let Some(value) = value else { continue };
            let pointer = format!("/credentials/{name}");
            if value.expose_secret().len() > 64 * 1024 {
                errors.push(FieldError::new(pointer, "is longer than 64 KiB"));
            } else if value.expose_secret().contains('\0') {
                errors.push(FieldError::new(pointer, "has a NUL byte"));
            } else if !name.ends_with("private_key") && value.expose_secret().contains('\n') {
                errors.push(FieldError::new(pointer, "has a line break"));
            }
        }
        errors
    }
}

/// The approved identities of a source: OpenSSH fingerprints (`SHA256:…`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PinnedIdentity {
    /// Of the source itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Of the jump host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<String>,
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
