//! One capture: everything is asked and checked first, then each database is dumped as one stream.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{
    access::Access,
    faults,
    record::record,
    rows::RowCounter,
    server::{self, Content, Database, Server},
    tools::Extent,
};
use crate::{
    connectors::{
        CaptureReport, CaptureSink,
        database::{Server as _, chosen, lacks, listed},
        dump_name::dump_path,
        program::{Dump, Onlooker},
    },
    domain::{
        dump_rows::DumpRows,
        entry::{EntryPath, ProblemKind},
        job::JobError,
        source::Databases,
    },
};

/// A server may sort or wait for a while before the next row.
const SILENCE: Duration = Duration::from_secs(1800);

/// The comments around the dump of an empty database alone are longer.
const LEAST: u64 = 500;

/// How the last line of a whole dump begins.
const LAST_LINE: &str = "-- Dump completed";

/// What a dump of MySQL never holds.
pub(super) const NOT_CAPTURED: &[&str] = &[
    "Accounts and their rights, server settings and binary logs are not part of a database's dump.",
    "Each database is dumped as of one moment; two databases as of two moments.",
];

/// Dumps the chosen databases over an open way.
pub(super) async fn capture(
    access: &Access,
    wanted: &Databases,
    sink: &CaptureSink,
    cancel: &CancellationToken,
) -> Result<CaptureReport, JobError> {
    let server = server::look(access, cancel).await?;
    let found = server::databases(access, cancel).await?;
    let (place, user) = (access.place(), access.user());
    let databases = chosen(place, user, wanted, found, |database| database.name.as_str())?;
    let missing = server.missing_grants(databases.iter().map(|database| database.name.as_str()));
    if !missing.is_empty() {
        return Err(lacks(place, user, &missing));
    }
    for database in &databases {
        let content = server::content(access, &database.name, cancel).await?;
        let broken = content.broken_views.iter().map(|(name, _)| name.clone());
        let extent = Extent::all_but(broken.collect());
        notes(database, &content, sink).await?;
        dump(access, &server, database, &content, &extent, sink, cancel).await?;
    }
    Ok(CaptureReport {
        transport: access.transport(),
        not_carried: NOT_CAPTURED.iter().map(|&text| text.to_owned()).collect(),
        site: None,
    })
}

/// What the user should know of a database before trusting its dump.
pub(super) async fn notes(database: &Database, content: &Content, sink: &CaptureSink) -> Result<(), JobError> {
    let path = dump_path(&database.name, "sql")?;
    let path = path.as_bytes();
    let inconsistent = content.tables.iter().filter(|table| !table.is_consistent());
    let inconsistent: Vec<_> = inconsistent
        .map(|table| format!("{} ({})", table.name, table.engine))
        .collect();
    let versioned = content.tables.iter().filter(|table| table.kind == "SYSTEM VERSIONED");
    let versioned: Vec<_> = versioned.map(|table| table.name.clone()).collect();
    let broken: Vec<_> = content.broken_views.iter().map(|(name, _)| name.clone()).collect();
    for (names, text) in [
        (
            &inconsistent,
            "these tables have no transactions, so they may be of a later moment than the rest",
        ),
        (
            &broken,
            "these views refer to something that is gone; only their definitions are kept, in the .json beside the dump",
        ),
        (
            &content.floats,
            "columns of type FLOAT are dumped with the six digits that the server prints",
        ),
        (
            &versioned,
            "of these tables the present rows are dumped, not their history",
        ),
    ] {
        if !names.is_empty() {
            sink.problem(ProblemKind::Note, path, format!("{text}: {}", listed(names)))
                .await?;
        }
    }
    Ok(())
}

/// Dumps one database, with a record of what is in it.
pub(super) async fn dump(
    access: &Access,
    server: &Server,
    database: &Database,
    content: &Content,
    extent: &Extent,
    sink: &CaptureSink,
    cancel: &CancellationToken,
) -> Result<(), JobError> {
    let program = access.dump(server.flavour, &database.name, extent);
    let dump = Dump {
        what: &format!("the database {}", database.name),
        begins_with: b"",
        last_line: Some(LAST_LINE),
        least: LEAST,
        silence: SILENCE,
    };
    let path = dump_path(&database.name, "sql")?;
    let sort = |said: &str| faults::sorted(access, said);
    let mut rows = RowCounter::default();
    let onlookers = (sink, &mut rows as &mut dyn Onlooker);
    let dumped = access
        .reach()
        .dump(&program, dump, path, onlookers, sort, cancel)
        .await?;
    let rows = DumpRows {
        bytes: dumped.bytes,
        tables: rows.tables(),
        large_objects: None,
    };
    let dumped_with = &access.dumper(server.flavour).version;
    let path: EntryPath = dump_path(&database.name, "json")?;
    sink.document(path, record(server, database, content, dumped_with, &rows))
        .await
}
