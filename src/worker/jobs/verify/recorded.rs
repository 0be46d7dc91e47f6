//! What a snapshot says about its dumps: `databases/{name}.json`, as far as a proof needs it.

use serde::Deserialize;

use crate::domain::{
    dump::{Dump, path_of},
    dump_rows::{DumpRows, TableRows},
    error_code::ErrorCode,
    job::JobError,
};

/// A dump and its record.
#[derive(Debug)]
pub(super) struct Recorded {
    /// Path of the dump in the snapshot.
    pub(super) path: String,
    /// Name of the database.
    pub(super) name: String,
    pub(super) record: Record,
}

/// The record of a dump.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    pub(super) dumped_with: String,
    #[serde(flatten)]
    pub(super) of: Kind,
    dump: Option<DumpRows>,
}

/// What differs.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Kind {
    Mysql {
        server: MysqlServer,
        character_set: String,
        collation: String,
    },
    Postgres {
        encoding: String,
        #[serde(default)]
        extensions: Vec<Extension>,
    },
}

#[derive(Debug, Deserialize)]
pub(super) struct MysqlServer {
    pub(super) flavour: String,
    pub(super) version: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Extension {
    pub(super) name: String,
    pub(super) schema: Option<String>,
}

/// Where the record of a dump lies: path of the dump, its database, path of the record. `None` for what is no dump of a
/// database.
pub(super) fn places(path: &str) -> Option<(String, String, String)> {
    let name = match Dump::at(path)? {
        Dump::MySql(name) | Dump::Postgres(name) => name,
        Dump::PostgresGlobals => return None,
    };
    let record = path_of(&name, "json").ok()?.to_string();
    Some((path.to_owned(), name, record))
}

impl Recorded {
    /// Reads the record of a dump.
    ///
    /// # Errors
    /// `nothing_to_prove` if it does not say what should be in the dump.
    pub(super) fn read(path: String, name: String, json: &[u8]) -> Result<Self, JobError> {
        let record = serde_json::from_slice(json).map_err(|_| unrecorded(&name))?;
        Ok(Self { path, name, record })
    }

    /// Bytes of the dump.
    pub(super) fn bytes(&self) -> u64 {
        self.record.dump.as_ref().map_or(0, |dump| dump.bytes)
    }

    /// Large objects in it.
    pub(super) fn large_objects(&self) -> u64 {
        let dump = self.record.dump.as_ref();
        dump.and_then(|dump| dump.large_objects).unwrap_or(0)
    }

    /// The tables in it, by name.
    ///
    /// # Errors
    /// `nothing_to_prove` if they were not counted.
    pub(super) fn tables(&self) -> Result<Vec<TableRows>, JobError> {
        let tables = self.record.dump.as_ref().and_then(|dump| dump.tables.clone());
        let mut tables = tables.ok_or_else(|| unrecorded(&self.name))?;
        tables.sort();
        Ok(tables)
    }
}

fn unrecorded(name: &str) -> JobError {
    JobError::new(
        ErrorCode::NothingToProve,
        format!(
            "the rows of the database {name} were not counted when it was dumped, so there is nothing to compare with"
        ),
        "Backups made with this version count them; prove a newer snapshot. This one can be restored as ever.",
    )
}
