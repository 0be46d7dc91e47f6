//! The dumps of a snapshot: which there are, what is recorded of them, and each as a stream.

use std::{io, sync::Arc};

use super::recorded::{Recorded, places};
use crate::{
    artifact::{self, Gauge, Keys, Listed, Stored},
    connectors::program::{Feed, Feeder, feed},
    domain::{
        error_code::ErrorCode,
        job::{ExportFormat, JobError},
        snapshot::SnapshotKey,
    },
    storage::local_fs::LocalFs,
    worker::{attempt::Attempt, jobs::blocking},
};

/// Largest record of a dump, in bytes: a hundred thousand tables.
const MAX_RECORD: usize = 64 * 1024 * 1024;

/// Most databases of one snapshot that are loaded.
const MAX_DUMPS: usize = 10_000;

/// Roles of PostgreSQL that are looked for, and the beginning of the lines that make them.
const MAX_ROLES: usize = 10_000;
const CREATE_ROLE: &str = "CREATE ROLE ";

/// A snapshot, opened.
#[derive(Clone)]
pub(super) struct Dumps {
    pub(super) storage: Arc<LocalFs>,
    pub(super) key: SnapshotKey,
    pub(super) keys: Arc<Keys>,
}

impl Dumps {
    /// All dumps of databases with their records, in stored order.
    ///
    /// # Errors
    /// `nothing_to_prove` if there are none, or a record is missing.
    pub(super) async fn recorded(&self, attempt: &Attempt) -> Result<Vec<Recorded>, JobError> {
        let here = self.clone();
        blocking(attempt, move |gauge| {
            let mut found = Vec::new();
            let mut paths = Vec::new();
            artifact::list(&here.files(), &here.keys, &mut |listed| {
                if let Listed::Entry(entry) = listed {
                    let path = entry.path.to_string();
                    found.extend(places(&path));
                    paths.extend(path.ends_with(".json").then_some(path));
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
                if !paths.contains(&record) {
                    return Err(nothing(&format!("nothing was recorded of the database {name}")));
                }
                Recorded::read(path, name, &here.small(&record, gauge)?)
            };
            found.into_iter().map(read).collect()
        })
        .await
    }

    /// The names of the roles that the snapshot's PostgreSQL has, as far as they can be told; nothing of the file is run.
    pub(super) async fn roles(&self, attempt: &Attempt) -> Result<Vec<String>, JobError> {
        let here = self.clone();
        blocking(attempt, move |gauge| match here.small("databases/globals.sql", gauge) {
            Ok(text) => Ok(roles(&String::from_utf8_lossy(&text))),
            Err(error) if error.code == ErrorCode::PathNotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        })
        .await
    }

    /// A dump as a stream, and the reading of it, which must be awaited beside whatever takes the stream.
    pub(super) fn stream(&self, path: &str, attempt: &Attempt) -> (Feed, impl Future<Output = Result<Read, JobError>>) {
        let (feeder, feed) = feed();
        let (here, path) = (self.clone(), path.to_owned());
        let reading = blocking(attempt, move |gauge| here.read(&path, feeder, gauge));
        (feed, reading)
    }

    fn read(&self, path: &str, feeder: Feeder, gauge: &Gauge) -> Result<Read, JobError> {
        let mut out = Out { feeder, gone: false };
        let paths = [path.to_owned()];
        let read = artifact::export(&self.files(), &self.keys, &paths, ExportFormat::File, &mut out, gauge);
        match read {
            _ if out.gone => Ok(Read::NotAll),
            Ok(_) => Ok(match out.feeder.finish() {
                Ok(()) => Read::All,
                Err(_) => Read::NotAll,
            }),
            Err(error) => Err(error),
        }
    }

    fn small(&self, path: &str, gauge: &Gauge) -> Result<Vec<u8>, JobError> {
        let mut out = Bounded(Vec::new());
        let paths = [path.to_owned()];
        let read = artifact::export(&self.files(), &self.keys, &paths, ExportFormat::File, &mut out, gauge);
        match read {
            Err(_) if out.0.len() > MAX_RECORD => Err(nothing(&format!("{path} is too long to be looked at"))),
            read => read.map(|_| out.0),
        }
    }

    fn files(&self) -> Stored<'_> {
        Stored {
            storage: self.storage.as_ref(),
            key: &self.key,
        }
    }
}

/// How far a dump was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// To its end.
    All,
    /// Until nobody took it any more.
    NotAll,
}

/// Remembers that the other end is gone.
struct Out {
    feeder: Feeder,
    gone: bool,
}

impl io::Write for Out {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.feeder.write(data);
        self.gone |= written.is_err();
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(data);
        match self.0.len() > MAX_RECORD {
            true => Err(io::Error::other("too long")),
            false => Ok(data.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
