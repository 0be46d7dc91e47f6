//! Loading an archive in the custom format into a database of a server.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{access::Access, capture::as_connection, faults, refusals::Refusals};
use crate::{
    connectors::{
        database::Server as _,
        program::{Feed, Load},
    },
    domain::{error_code::ErrorCode, job::JobError},
};

/// How an archive is loaded.
#[derive(Debug, Clone, Copy)]
pub struct Loading {
    /// Major version of the `pg_dump` that made the archive: older programs cannot read it.
    pub major: u32,
    /// Owners and rights as they were. Without, everything belongs to the login that loads.
    pub owners: bool,
    /// Goes on where the server refuses something because the login is no superuser.
    pub as_far_as_rights_go: bool,
    /// Longest time.
    pub time: Duration,
}

impl Access {
    /// Makes an empty database with this encoding, which belongs to `owner` if one is given.
    ///
    /// # Errors
    /// `load_failed` if it exists or the encoding does not fit the server's locale, and those of a connection.
    pub async fn create_database(
        &self,
        name: &str,
        encoding: &str,
        owner: Option<&str>,
        cancel: &CancellationToken,
    ) -> Result<(), JobError> {
        let owner = owner.map(|owner| format!(" OWNER {}", identifier(owner)));
        let sql = format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING {}{};",
            identifier(name),
            literal(encoding),
            owner.unwrap_or_default()
        );
        self.command("postgres", &sql, cancel)
            .await
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

    /// Loads an archive, as [`capture`](super::capture) makes them, into a database that is there. Gives what the server
    /// refused for want of rights, one sentence each; empty unless asked to go on there.
    ///
    /// # Errors
    /// `client_missing`, `load_failed` with the server's words, `load_too_long`, and those of a connection;
    /// `transfer_interrupted` if the archive broke off. What was loaded so far stays.
    pub async fn load(
        &self,
        database: &str,
        feed: Feed,
        loading: Loading,
        cancel: &CancellationToken,
    ) -> Result<Vec<String>, JobError> {
        let mut program = self
            .dumpers(loading.major)?
            .named("pg_restore")
            .args(["--format=custom", "--no-password"])
            .arg(format!("--dbname={}", as_connection(database)));
        if !loading.owners {
            program = program.args(["--no-owner", "--no-privileges"]);
        }
        if !loading.as_far_as_rights_go {
            program = program.arg("--exit-on-error");
        }
        let program = self.signed_in(program, database);
        let what = format!("the database {database}");
        let load = Load {
            what: &what,
            time: loading.time,
        };
        let sort = |said: &str| self.sorted(said).filter(|error| is_of_the_connection(error.code));
        let mut loaded = self.reach().load(&program, &load, feed, sort, cancel).await?;
        if loaded.exit.success() {
            return Ok(Vec::new());
        }
        match Refusals::read(&loaded.said) {
            Some(refusals) if loading.as_far_as_rights_go => Ok(refusals.0),
            _ => {
                // The first complaint, not the last word: what follows it is the statement.
                loaded.said = faults::words(&loaded.said);
                Err(load.refused(loaded, program.name(), self.place()).into_error())
            }
        }
    }
}

/// True for causes that have nothing to do with what the archive holds.
fn is_of_the_connection(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::AuthFailed | ErrorCode::ConnectFailed | ErrorCode::SourceBusy | ErrorCode::TransferInterrupted
    )
}

/// A name in SQL, whatever it holds.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL; [`Access::query`] sets the mode in which backslashes mean nothing.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
