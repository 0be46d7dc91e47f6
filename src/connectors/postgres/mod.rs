//! PostgreSQL: each database as the custom-format archive of `pg_dump`, and the roles beside them, directly or
//! over SSH.
//!
//! `access` is how its programs are run, `server` what is asked of it, `rights` what the login lacks there.
//! Everything the server says is text of a stranger; nothing it says is obeyed.

mod access;
mod archive;
mod capture;
mod faults;
mod load;
mod message;
mod notes;
mod opening;
mod probe;
mod record;
mod refusals;
mod rights;
mod server;
mod target;
mod tools;

pub use access::Access;
pub use load::{Loading, identifier, literal};
pub(crate) use tools::major;

use super::database::DatabaseConnector;

/// The connector for kind `postgres`.
pub type PostgresConnector = DatabaseConnector<Access>;
