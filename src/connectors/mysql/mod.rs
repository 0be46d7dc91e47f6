//! MySQL and MariaDB: each database as the dump that its own client program makes, directly or over SSH.
//!
//! `access` is the way to the server, `server` what is asked of it, `grants` what the login may do there.
//! Everything the server says is text of a stranger; nothing it says is obeyed.

mod access;
mod capture;
mod connector;
mod faults;
mod grants;
mod opening;
mod packet;
mod probe;
mod record;
mod server;
mod tools;

pub use connector::MysqlConnector;

use crate::domain::source::{Credentials, DatabaseConfig, PinnedIdentity};

/// A database server to read, with everything to get there.
#[derive(Debug, Clone)]
pub struct MysqlSource {
    /// Where and what.
    pub config: DatabaseConfig,
    /// What opens it.
    pub credentials: Credentials,
    /// The approved identities: of the server's certificate, and of the SSH host before it.
    pub identity: PinnedIdentity,
}
