//! Loading dumps into a server: each into a database that is made for it.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::{connectors::program::Feed, domain::job::JobError};

/// Longest time for loading one dump: what takes longer waits for something that does not come.
pub const LOAD_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// A server that dumps can be loaded into.
#[async_trait]
pub trait DumpTarget: Send + Sync {
    /// The server, for messages.
    fn place(&self) -> &str;

    /// The names of all its databases that the login can see.
    async fn names(&self, cancel: &CancellationToken) -> Result<Vec<String>, JobError>;

    /// Statements that give the login what it needs to make databases of these names and load them, and lacks.
    async fn missing_rights(&self, names: &[String], cancel: &CancellationToken) -> Result<Vec<String>, JobError>;

    /// Makes an empty database like the one of the dump; gives what could not be like it, a sentence each.
    ///
    /// # Errors
    /// `load_failed` if it exists, and those of a connection.
    async fn make(&self, name: &str, origin: &Origin, cancel: &CancellationToken) -> Result<Vec<String>, JobError>;

    /// Loads a dump into a database that was made for it; gives what was left out, a sentence each.
    ///
    /// # Errors
    /// `load_failed` with the server's words, and those of a connection. What was loaded so far stays.
    async fn fill(
        &self,
        name: &str,
        origin: &Origin,
        feed: Feed,
        cancel: &CancellationToken,
    ) -> Result<Vec<String>, JobError>;

    /// Removes a database that this job has made.
    async fn discard(&self, name: &str, cancel: &CancellationToken) -> Result<(), JobError>;

    /// Ends every connection; returns when they are gone.
    async fn close(self: Box<Self>);
}

/// What stands beside a dump (`databases/{name}.json`) of the database it was made of, as far as making one like it needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Origin {
    /// Of MySQL or MariaDB.
    Mysql {
        /// Its default character set.
        character_set: String,
        /// Its default collation.
        collation: String,
    },
    /// Of PostgreSQL.
    Postgres {
        /// Its encoding.
        encoding: String,
        /// Its locale.
        collation: String,
        /// What `pg_dump` says its version is.
        dumped_with: String,
    },
}

impl Origin {
    /// The major version of the `pg_dump` that made the dump, if that is known.
    pub fn major(&self) -> Option<u32> {
        let Self::Postgres { dumped_with, .. } = self else {
            return None;
        };
        let digits = dumped_with.split(|c: char| !c.is_ascii_digit());
        digits
            .filter(|part| !part.is_empty())
            .find_map(|part| part.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_dumps_are_read() {
        let json = r#"{"version":1,"kind":"postgres","server":{"version":"15.9","major":15},"database":"a",
            "encoding":"UTF8","collation":"C","dumped_with":"pg_dump (PostgreSQL) 15.9 (Debian 15.9-0+deb12u1)"}"#;
        assert_eq!(serde_json::from_str::<Origin>(json).unwrap().major(), Some(15));
        let json = r#"{"version":1,"kind":"mysql","character_set":"utf8mb4","collation":"utf8mb4_bin","tables":[]}"#;
        let expected = Origin::Mysql {
            character_set: "utf8mb4".into(),
            collation: "utf8mb4_bin".into(),
        };
        assert_eq!(serde_json::from_str::<Origin>(json).unwrap(), expected);
    }
}
