//! What all database servers have in common as sources: the way to them, which of their databases are meant, the
//! course of a probe, and when a backup must not begin.
//!
//! Knows no protocol, no program and no SQL: that is what a [`Server`] brings along.

mod connector;
mod dialect;
mod login;
mod probe;
mod programs;
mod reach;
mod selection;
mod target;

pub use connector::{DatabaseConnector, Server};
pub(super) use dialect::Dialect;
pub(super) use login::Login;
pub(super) use reach::{Reach, Way};
pub(super) use selection::{chosen, is_chosen, lacks, listed};
pub use target::{DumpTarget, LOAD_TIME, Origin};

use super::ssh::{SshSource, session::FarEnd};
use crate::domain::source::{Credentials, DatabaseConfig, PinnedIdentity};

/// A database server to read, with everything to get there.
#[derive(Debug, Clone)]
pub struct DatabaseSource {
    /// Where and what.
    pub config: DatabaseConfig,
    /// What opens it.
    pub credentials: Credentials,
    /// The approved identities: of the server's certificate, and of the SSH host before it.
    pub identity: PinnedIdentity,
}

impl DatabaseSource {
    /// Where the server is, as the SSH host sees it if there is one. A host that begins with a slash is a socket:
    /// users cannot write such a host, connectors that found one can.
    fn server(&self) -> FarEnd {
        match self.config.host.starts_with('/') {
            true => FarEnd::Socket(self.config.host.clone().into()),
            false => FarEnd::Tcp(self.config.host.clone(), self.config.port),
        }
    }

    /// The host the server is reached over, with the identity approved for it.
    fn ssh(&self) -> Option<SshSource> {
        let (config, credentials) = self.config.ssh(&self.credentials)?;
        Some(SshSource {
            config,
            credentials,
            identity: PinnedIdentity {
                target: self.identity.jump.clone(),
                jump: None,
            },
            runs_commands: true,
        })
    }
}
