//! The dumps of a snapshot: which there are, and what is recorded of them.

use super::recorded::{Recorded, places};
use crate::{
    artifact::{self, Gauge, Listed},
    domain::{error_code::ErrorCode, job::JobError},
    worker::{
        attempt::Attempt,
        jobs::{blocking, opened::Opened},
    },
};

/// Most databases of one snapshot that are loaded.
const MAX_DUMPS: usize = 10_000;

/// Roles of PostgreSQL that are looked for, and the beginning of the lines that make them.
const MAX_ROLES: usize = 10_000;
const CREATE_ROLE: &str = "CREATE ROLE ";

impl Opened {
    /// All dumps of databases with their records, in stored order.
    ///
    /// # Errors
    /// `nothing_to_prove` if there are none, or a record is missing.
    pub(super) async fn recorded(&self, attempt: &Attempt) -> Result<Vec<Recorded>, JobError> {
        let here = self.clone();
        blocking(attempt, move |gauge| {
            let mut found = Vec::new();
            artifact::list(&here.files(), &here.keys, &mut |listed| {
                if let Listed::Entry(entry) = listed {
                    found.extend(places(&entry.path.to_string()));
                }
                match found.len() > MAX_DUMPS {
                    true => Err(nothing("the snapshot has too many databases")),
                    false => Ok(()),
                }
            })?;
            if found.is_empty() {
                return Err(nothing("the snapshot has no dump of a database"));
            }
            let read = |(path, name, record): (String, String, String)| {
                let record = here.record(&record, gauge).map_err(|error| match error.code {
                    ErrorCode::PathNotFound => nothing(&format!("nothing was recorded of the database {name}")),
                    _ => error,
                })?;
                Recorded::read(path, name, &record)
            };
            found.into_iter().map(read).collect()
        })
        .await
    }

    /// The names of the roles that the snapshot's PostgreSQL has, as far as they can be told; nothing of the file is run.
    pub(super) async fn roles(&self, attempt: &Attempt) -> Result<Vec<String>, JobError> {
        let here = self.clone();
        blocking(attempt, move |gauge| {
            match here.record("databases/globals.sql", gauge) {
                Ok(text) => Ok(roles(&String::from_utf8_lossy(&text))),
                Err(error) if error.code == ErrorCode::PathNotFound => Ok(Vec::new()),
                Err(error) => Err(error),
            }
        })
        .await
    }

    fn record(&self, path: &str, gauge: &Gauge) -> Result<Vec<u8>, JobError> {
        let record = self.small(path, gauge)?;
        record.ok_or_else(|| nothing(&format!("{path} is too long to be looked at")))
    }
}

fn nothing(why: &str) -> JobError {
    JobError::new(
        ErrorCode::NothingToProve,
        format!("{why}, so nothing can be loaded and compared"),
        "Only backups of databases can be proven like this; other snapshots are verified.",
    )
}

/// `x` of each line `CREATE ROLE x;`.
fn roles(globals: &str) -> Vec<String> {
    let names = globals.lines().filter_map(|line| {
        let name = line.strip_prefix(CREATE_ROLE)?.strip_suffix(';')?;
        match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
            Some(quoted) => Some(quoted.replace("\"\"", "\"")),
            None => Some(name.to_owned()),
        }
    });
    names.take(MAX_ROLES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_by_their_names_alone() {
        let globals = "CREATE ROLE a;\nALTER ROLE a WITH SUPERUSER;\nCREATE ROLE \"odd \"\"x\";\n\\! touch /tmp/x\n";
        assert_eq!(roles(globals), ["a", "odd \"x"]);
    }
}
