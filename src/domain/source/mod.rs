//! Sources: what a user says about a server, and the rules that make it acceptable. A file per way of
//! access; [`SourceConfig`] joins them.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeSeed};

use super::field_error::FieldError;

mod checks;
mod credentials;
mod database;
pub mod fingerprint;
mod ftp;
mod ssh;
mod wordpress;

pub use credentials::{CredentialField, Credentials};
pub use database::{DatabaseConfig, DatabaseTls, Databases};
pub use ftp::{FtpConfig, FtpTls};
pub use ssh::{JumpConfig, SshConfig};
pub use wordpress::WordpressConfig;

/// The kind of a source; it decides the connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A server with a shell: remote `tar`, or SFTP on the same connection.
    Ssh,
    /// An account that serves SFTP; no command is ever run.
    Sftp,
    /// An account on an FTP server, with TLS unless told otherwise.
    Ftp,
    /// MySQL or MariaDB.
    Mysql,
    /// PostgreSQL.
    Postgres,
    /// A WordPress site behind SSH: its files and its database.
    Wordpress,
}

impl SourceKind {
    /// Every kind.
    pub const ALL: &'static [SourceKind] = &[
        Self::Ssh,
        Self::Sftp,
        Self::Ftp,
        Self::Mysql,
        Self::Postgres,
        Self::Wordpress,
    ];

    /// The stable text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Sftp => "sftp",
            Self::Ftp => "ftp",
            Self::Mysql => "mysql",
            Self::Postgres => "postgres",
            Self::Wordpress => "wordpress",
        }
    }
}

impl SourceKind {
    /// True if its snapshots hold dumps of databases.
    pub fn has_dumps(self) -> bool {
        match self {
            Self::Mysql | Self::Postgres | Self::Wordpress => true,
            Self::Ssh | Self::Sftp | Self::Ftp => false,
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
            .ok_or_else(|| {
                let known: Vec<_> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
                format!("unknown kind {text:?}; one of: {}", known.join(", "))
            })
    }
}

/// Where and what to capture. Serialises to the fields alone: the kind stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum SourceConfig {
    /// Of kind [`SourceKind::Ssh`].
    Ssh(SshConfig),
    /// Of kind [`SourceKind::Sftp`].
    Sftp(SshConfig),
    /// Of kind [`SourceKind::Ftp`].
    Ftp(FtpConfig),
    /// Of kind [`SourceKind::Mysql`].
    Mysql(DatabaseConfig),
    /// Of kind [`SourceKind::Postgres`].
    Postgres(DatabaseConfig),
    /// Of kind [`SourceKind::Wordpress`].
    Wordpress(WordpressConfig),
}

/// A machine that a connection is made to: host as the user wrote it, and port.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// Host name or address.
    pub host: &'a str,
    /// TCP port.
    pub port: u16,
}

impl PartialEq for Machine<'_> {
    /// Host names have no letter case.
    fn eq(&self, other: &Self) -> bool {
        self.host.eq_ignore_ascii_case(other.host) && self.port == other.port
    }
}

/// Reads the configuration of a source of this kind.
impl<'de> DeserializeSeed<'de> for SourceKind {
    type Value = SourceConfig;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<SourceConfig, D::Error> {
        Ok(match self {
            Self::Ssh => SourceConfig::Ssh(Deserialize::deserialize(from)?),
            Self::Sftp => SourceConfig::Sftp(Deserialize::deserialize(from)?),
            Self::Ftp => SourceConfig::Ftp(Deserialize::deserialize(from)?),
            Self::Mysql => SourceConfig::Mysql(DatabaseConfig::deserialize(from)?.with_usual_port(3306)),
            Self::Postgres => SourceConfig::Postgres(DatabaseConfig::deserialize(from)?.with_usual_port(5432)),
            Self::Wordpress => SourceConfig::Wordpress(Deserialize::deserialize(from)?),
        })
    }
}

impl SourceConfig {
    /// Its kind.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Ssh(_) => SourceKind::Ssh,
            Self::Sftp(_) => SourceKind::Sftp,
            Self::Ftp(_) => SourceKind::Ftp,
            Self::Mysql(_) => SourceKind::Mysql,
            Self::Postgres(_) => SourceKind::Postgres,
            Self::Wordpress(_) => SourceKind::Wordpress,
        }
    }

    /// Every fault of the configuration and of the credentials that go with it; empty if both are
    /// acceptable. Pointers are relative to the request's root (`/config/host`).
    pub fn validate(&self, credentials: &Credentials) -> Vec<FieldError> {
        let (mut errors, logins) = match self {
            Self::Ssh(config) | Self::Sftp(config) => (config.validate(), config.validate_logins(credentials)),
            Self::Ftp(config) => (config.validate(), config.validate_login(credentials)),
            Self::Mysql(config) | Self::Postgres(config) => (config.validate(), config.validate_logins(credentials)),
            Self::Wordpress(config) => (config.validate(), config.validate_logins(credentials)),
        };
        errors.extend(credentials.validate(self.kind()));
        errors.extend(logins);
        errors
    }

    /// The name that it is logged in with.
    pub fn login(&self) -> &str {
        match self {
            Self::Ssh(config) | Self::Sftp(config) => &config.user,
            Self::Ftp(config) => &config.user,
            Self::Mysql(config) | Self::Postgres(config) => &config.user,
            Self::Wordpress(config) => &config.user,
        }
    }

    /// The same, logged in to with another name.
    pub fn with_login(mut self, login: &str) -> Self {
        let user = match &mut self {
            Self::Ssh(config) | Self::Sftp(config) => &mut config.user,
            Self::Ftp(config) => &mut config.user,
            Self::Mysql(config) | Self::Postgres(config) => &mut config.user,
            Self::Wordpress(config) => &mut config.user,
        };
        login.clone_into(user);
        self
    }

    /// The machine whose identity is approved as the target's.
    pub fn target(&self) -> Machine<'_> {
        let (host, port) = match self {
            Self::Ssh(config) | Self::Sftp(config) => (&config.host, config.port),
            Self::Ftp(config) => (&config.host, config.port),
            Self::Mysql(config) | Self::Postgres(config) => (&config.host, config.port),
            Self::Wordpress(config) => (&config.host, config.port),
        };
        Machine { host, port }
    }

    /// How the target proves who it is.
    pub fn proof(&self) -> Proof {
        match self {
            Self::Ssh(_) | Self::Sftp(_) | Self::Wordpress(_) => Proof::HostKey,
            Self::Ftp(config) if config.tls == FtpTls::None => Proof::Nothing,
            Self::Ftp(_) => Proof::Certificate,
            Self::Mysql(config) | Self::Postgres(config) if config.tls() == DatabaseTls::None => Proof::Nothing,
            Self::Mysql(_) | Self::Postgres(_) => Proof::Certificate,
        }
    }

    /// The machine that the connection goes through, if there is one.
    pub fn jump(&self) -> Option<Machine<'_>> {
        let between = match self {
            Self::Ssh(config) | Self::Sftp(config) => config.jump.as_ref(),
            Self::Ftp(_) => None,
            Self::Mysql(config) | Self::Postgres(config) => config.over_ssh.as_ref(),
            Self::Wordpress(config) => config.jump.as_ref(),
        };
        between.map(|jump| Machine {
            host: &jump.host,
            port: jump.port,
        })
    }
}

/// How a machine proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// With an SSH host key, which somebody has to approve.
    HostKey,
    /// With a TLS certificate: an authority speaks for it, or somebody approves it.
    Certificate,
    /// Not at all: its connection was asked to be plain.
    Nothing,
}

impl Proof {
    /// True if `fingerprint` has the form of what proves it.
    pub fn is_fingerprint(self, fingerprint: &str) -> bool {
        match self {
            Self::HostKey => fingerprint::is_host_key(fingerprint),
            Self::Certificate => fingerprint::is_certificate(fingerprint),
            Self::Nothing => false,
        }
    }
}

/// The approved identities of a source: fingerprints of SSH host keys or of a TLS certificate (see
/// [`fingerprint`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PinnedIdentity {
    /// Of the source itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Of the jump host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<String>,
}
