//! The dumps of a snapshot, read for whoever loads them.

use crate::{
    artifact::{self, Handed},
    connectors::database::Origin,
    domain::{
        dump::{Dump, path_of},
        entry::EntryKind,
        error_code::ErrorCode,
        escaped::escape,
        job::JobError,
    },
    worker::{
        attempt::Attempt,
        jobs::{blocking, opened::Opened},
    },
};

/// Most databases of one restore.
const MAX_DUMPS: usize = 10_000;

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

impl Opened {
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
            let record = match here.small(&escape(path.as_bytes()), gauge) {
                Ok(record) => record,
                Err(error) if error.code == ErrorCode::PathNotFound => None,
                Err(error) => return Err(error),
            };
            let record = record.ok_or_else(|| unrecorded(&database))?;
            serde_json::from_slice(&record).map_err(|_| unrecorded(&database))
        })
        .await
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
