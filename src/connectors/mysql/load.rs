//! Loading a dump into a database of a server.
//!
//! The client program obeys commands in what it reads (`system`, `source`, `tee`). In binary mode it knows only those that
//! change the delimiter and the character set, which dumps need.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{access::Access, faults};
use crate::{
    connectors::{
        database::Server as _,
        program::{Feed, Load},
    },
    domain::{error_code::ErrorCode, job::JobError},
};

/// How the first line of a dump begins that puts MariaDB's client into its sandbox. Other clients take it for a command
/// they do not know.
const SANDBOX: &[&[u8]] = &[b"/*M!999999\\- ", b"/*!999999\\- "];

/// What goes before the dump of one database.
const ARGS: [&str; 5] = [
    "--binary-mode",
    "--batch",
    // A server may ask for files of the machine that the client runs on, and a dump may order it.
    "--local-infile=0",
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",
];

impl Access {
    /// Makes an empty database.
    ///
    /// # Errors
    /// `load_failed` if it exists or its character set or collation is not known there, and those of a connection.
    pub async fn create_database(
        &self,
        name: &str,
        character_set: &str,
        collation: &str,
        cancel: &CancellationToken,
    ) -> Result<(), JobError> {
        let sql = format!(
            "CREATE DATABASE {} CHARACTER SET {} COLLATE {};",
            identifier(name),
            identifier(character_set),
            identifier(collation)
        );
        self.query(&sql, cancel)
            .await
            .map(drop)
            .map_err(|error| match error.code {
                // What the server says to the statement, as opposed to what keeps it from being asked.
                ErrorCode::ProtocolError => JobError::new(
                    ErrorCode::LoadFailed,
                    format!("the database {name} cannot be made: {}", error.message),
                    "Choose another name if it is taken.",
                ),
                _ => error,
            })
    }

    /// Loads a dump, as [`capture`](super::capture) makes them, into a database that is there. Stops at the first statement
    /// that the server refuses.
    ///
    /// # Errors
    /// `load_failed` with the server's words, `load_too_long`, and those of a connection; `transfer_interrupted` if the dump
    /// broke off. What was loaded so far stays.
    pub async fn load(
        &self,
        database: &str,
        mut feed: Feed,
        time: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), JobError> {
        let program = self
            .client()
            .args(ARGS)
            // Behind its equals sign, a name is a name whatever it holds.
            .arg(format!("--database={database}"));
        feed.without_first_line(SANDBOX).await;
        let what = format!("the database {database}");
        let load = Load { what: &what, time };
        let sort = |said: &str| faults::sorted(self, said).filter(|error| is_of_the_connection(error.code, said));
        let loaded = self.reach().load(&program, &load, feed, sort, cancel).await?;
        match loaded.exit.success() {
            true => Ok(()),
            false => Err(load.refused(loaded, program.name(), self.place()).into_error()),
        }
    }
}

/// True for causes that have nothing to do with what the dump holds.
fn is_of_the_connection(code: ErrorCode, said: &str) -> bool {
    match code {
        // A statement without the right to read files is refused with the number of a wrong password.
        ErrorCode::AuthFailed => !said.contains(" at line "),
        ErrorCode::TlsRequired | ErrorCode::SourceBusy | ErrorCode::TransferInterrupted => true,
        _ => false,
    }
}

/// A name in SQL, whatever it holds.
pub fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
