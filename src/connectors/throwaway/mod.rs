//! Database servers that live as long as one job: made on this worker, in a directory of their own, reachable over a
//! socket in it and nothing else, and gone without a trace.
//!
//! What is loaded into them is a stranger's. It meets two walls: inside, a login without any right but on its own database;
//! outside, a server that has no network, no more memory than it should, and (where the worker is root) no rights on the
//! machine. Knows nothing of artifacts and of what is counted.

mod confine;
mod ground;
mod mariadb;
mod postgres;
mod process;
mod reap;

use std::{path::PathBuf, time::Duration};

pub use ground::{Room, sweep};
pub use mariadb::{MariadbThrowaway, NewDatabase as NewMariadb};
pub use postgres::{NewDatabase as NewPostgres, PostgresThrowaway};

/// For a server to be made and to answer.
const START: Duration = Duration::from_secs(120);

/// What a server may have of the worker.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Where its directory goes, if its account can go there.
    pub tmp_dir: PathBuf,
    /// Bytes that it will probably take.
    pub expected: u64,
    /// Bytes that it must leave free on that disk.
    pub leave_free: u64,
}
