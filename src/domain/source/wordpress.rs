//! WordPress sites: files and database over one SSH login.

use serde::{Deserialize, Serialize};

use super::{
    Credentials, JumpConfig, SshConfig,
    checks::{check_exclude, check_path},
};
use crate::domain::field_error::FieldError;

/// Where a WordPress site is. How its database is reached stands in its `wp-config.php`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WordpressConfig {
    /// Host name or address, IPv6 without brackets.
    pub host: String,
    /// TCP port.
    #[serde(default = "super::ssh::ssh_port")]
    pub port: u16,
    /// Login name.
    pub user: String,
    /// The document root: absolute, or relative to the login directory.
    pub path: String,
    /// Globs of files to leave out; the syntax is described in [`crate::domain::exclude`].
    #[serde(default)]
    pub exclude: Vec<String>,
    /// A host to go through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<JumpConfig>,
}

impl WordpressConfig {
    /// The machine, as a source of files below `paths`.
    pub fn ssh(&self, paths: Vec<String>) -> SshConfig {
        SshConfig {
            host: self.host.clone(),
            port: self.port,
            user: self.user.clone(),
            paths,
            exclude: self.exclude.clone(),
            jump: self.jump.clone(),
        }
    }

    /// Every fault of the configuration; empty if it is acceptable. Pointers are relative to the request's root.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = self.ssh(Vec::new()).validate_access();
        check_path("/config/path", &self.path, &mut errors);
        if self.path.starts_with('/') && self.path.trim_matches('/').is_empty() {
            errors.push(FieldError::new(
                "/config/path",
                "must be the site's directory, not all of the server",
            ));
        }
        check_exclude(&self.exclude, &mut errors);
        errors
    }

    /// Faults in the combination of credentials.
    pub fn validate_logins(&self, credentials: &Credentials) -> Vec<FieldError> {
        self.ssh(Vec::new()).validate_logins(credentials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_a_directory_on_a_machine() {
        let read = |path: &str| {
            let json = serde_json::json!({"host": "web1", "user": "deploy", "path": path});
            serde_json::from_value::<WordpressConfig>(json).unwrap()
        };
        assert_eq!(read("/var/www/html").port, 22);
        assert!(read("/var/www/html").validate().is_empty() && read("public_html").validate().is_empty());
        for wrong in ["", " ", "/", "//", "/a/../b", "a\0b"] {
            let faults = read(wrong).validate();
            assert!(
                faults.iter().all(|fault| fault.pointer == "/config/path") && !faults.is_empty(),
                "{wrong:?}"
            );
        }
    }
}
