//! MySQL and MariaDB: each database as the dump that its own client program makes, directly or over SSH.
//!
//! `access` is how its programs are run, `server` what is asked of it, `grants` what the login may do there.
//! Everything the server says is text of a stranger; nothing it says is obeyed.

mod access;
mod capture;
mod faults;
mod grants;
mod load;
mod opening;
mod packet;
mod part;
mod probe;
mod record;
mod rows;
mod server;
mod target;
mod tools;

pub use access::{Access, quoted};
pub use load::identifier;
pub(super) use part::Owned;

use super::database::DatabaseConnector;

/// The connector for kind `mysql`.
pub type MysqlConnector = DatabaseConnector<Access>;
