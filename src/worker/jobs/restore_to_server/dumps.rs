//! The dumps of a snapshot, read for whoever loads them.

use std::{io, sync::Arc};

use crate::{
    artifact::{self, Gauge, Handed, Keys, Stored},
    connectors::{
        database::Origin,
        program::{Feed, Feeder, feed},
    },
    domain::{
        dump::{Dump, path_of},
        entry::EntryKind,
        error_code::ErrorCode,
        escaped::escape,
        job::{ExportFormat, JobError},
        snapshot::SnapshotKey,
    },
    storage::Storage,
    worker::{attempt::Attempt, jobs::blocking},
};

/// Most databases of one restore.
const MAX_DUMPS: usize = 10_000;

/// Largest record beside a dump, in bytes.
const MAX_RECORD: usize = 64 * 1024 * 1024;

/// A dump in the snapshot.
#[derive(Debug, Clone)]
pub(super) struct StoredDump {
    /// Its path, escaped.
    pub(super) path: String,
    /// The database it was made of.
    pub(super) database: String,
    /// Its length.
    pub(super) bytes: u64,
}

/// A snapshot, opened.
#[derive(Clone)]
pub(super) struct Dumps {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) key: SnapshotKey,
    pub(super) keys: Arc<Keys>,
}

impl Dumps {
    /// The dumps of databases among the chosen paths, in stored order.
    ///
    /// # Errors
    /// `path_not_found` if there are none.
    pub(super) async fn chosen(&self, attempt: &Attempt, paths: &[String]) -> Result<Vec<StoredDump>, JobError> {
        let (here, paths) = (self.clone(), paths.to_vec());
        blocking(attempt, move |gauge| {
            let mut found = Vec::new();
            artifact::hand_over_list(&here.files(), &here.keys, &paths, gauge, &mut |handed| {
                found.extend(dump_of(&handed));
                match found.len() > MAX_DUMPS {
                    true => Err(too_many()),
                    false => Ok(()),
                }
            })?;
            match found.is_empty() {
                true => Err(none()),
                false => Ok(found),
            }
        })
        .await
    }

    /// What stands beside a dump of the database it was made of.
    ///
    /// # Errors
    /// `load_failed` if nothing does, or it cannot be read.
    pub(super) async fn origin(&self, attempt: &Attempt, dump: &StoredDump) -> Result<Origin, JobError> {
        let (here, database) = (self.clone(), dump.database.clone());
        blocking(attempt, move |gauge| {
            let path = path_of(&database, "json").map_err(|_| unrecorded(&database))?;
            let mut out = Bounded(Vec::new());
            here.export(&escape(path.as_bytes()), &mut out, gauge)
                .map_err(|error| match error.code {
                    ErrorCode::PathNotFound => unrecorded(&database),
                    _ => error,
                })?;
            serde_json::from_slice(&out.0).map_err(|_| unrecorded(&database))
        })
        .await
    }

    /// A dump as a stream, and the reading of it, which must be awaited beside whatever takes the stream.
    pub(super) fn stream(
        &self,
        attempt: &Attempt,
        dump: &StoredDump,
    ) -> (Feed, impl Future<Output = Result<(), JobError>>) {
        let (feeder, feed) = feed();
        let (here, path) = (self.clone(), dump.path.clone());
        (feed, blocking(attempt, move |gauge| here.read(&path, feeder, gauge)))
    }

    /// Nobody taking it any more is no error of the reading: whoever loads has the reason.
    fn read(&self, path: &str, feeder: Feeder, gauge: &Gauge) -> Result<(), JobError> {
        let mut out = Out { feeder, gone: false };
        let read = self.export(path, &mut out, gauge);
        if out.gone {
            return Ok(());
        }
        read?;
        // Likewise.
        let _ = out.feeder.finish();
        Ok(())
    }

    fn export(&self, path: &str, out: &mut dyn io::Write, gauge: &Gauge) -> Result<(), JobError> {
        let paths = [path.to_owned()];
        artifact::export(&self.files(), &self.keys, &paths, ExportFormat::File, out, gauge).map(drop)
    }

    fn files(&self) -> Stored<'_> {
        Stored {
            storage: self.storage.as_ref(),
            key: &self.key,
        }
    }
}

fn dump_of(handed: &Handed<'_>) -> Option<StoredDump> {
    let Handed::Entry { entry, .. } = handed else {
        return None;
    };
    let EntryKind::File { size } = entry.kind else {
        return None;
    };
    let path = escape(entry.path.as_bytes());
    match Dump::at(&path)? {
        Dump::MySql(database) | Dump::Postgres(database) => Some(StoredDump {
            path,
            database,
            bytes: size,
        }),
        Dump::PostgresGlobals => None,
    }
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
        if self.0.len() + data.len() > MAX_RECORD {
            return Err(io::Error::other("the record is too long"));
        }
        self.0.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn none() -> JobError {
    JobError::new(
        ErrorCode::PathNotFound,
        "there is no dump of a database among the chosen paths",
        "Choose the files databases/… that end in .sql or .dump; databases/globals.sql is for loading by hand.",
    )
}

fn too_many() -> JobError {
    JobError::new(
        ErrorCode::ExportLimit,
        format!("more than {MAX_DUMPS} databases were chosen"),
        "Choose fewer at a time.",
    )
}

fn unrecorded(database: &str) -> JobError {
    JobError::new(
        ErrorCode::LoadFailed,
        format!("nothing was recorded of the database {database} that says how to make one like it"),
        "Restore the dump as a download and load it by hand.",
    )
}
