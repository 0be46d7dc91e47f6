//! One capture: everything is asked and checked first, then each database is dumped as one stream.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{
    access::Access,
    faults,
    record::record,
    server::{self, Content, Database, Server},
};
use crate::{
    connectors::{
        CaptureReport, CaptureSink,
        dump_name::dump_path,
        program::{Dump, DumpCause, DumpFault, Stdin},
    },
    domain::{
        entry::{EntryPath, ProblemKind},
        error_code::ErrorCode,
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

/// Most names in one note.
const MAX_NAMES: usize = 20;

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
    let databases = chosen(access, wanted, server::databases(access, cancel).await?)?;
    let missing = server.missing_grants(databases.iter().map(|database| database.name.as_str()));
    if !missing.is_empty() {
        return Err(lacks(access, &missing));
    }
    for database in &databases {
        let content = server::content(access, &database.name, cancel).await?;
        notes(database, &content, sink).await?;
        dump(access, &server, database, &content, sink, cancel).await?;
    }
    Ok(CaptureReport {
        transport: access.transport().into(),
        not_carried: NOT_CAPTURED.iter().map(|&text| text.to_owned()).collect(),
    })
}

/// The databases to dump, of those that are there.
fn chosen(access: &Access, wanted: &Databases, found: Vec<Database>) -> Result<Vec<Database>, JobError> {
    let place = access.place();
    match wanted {
        Databases::All if found.is_empty() => Err(JobError::new(
            ErrorCode::NothingCaptured,
            format!("{} sees no database on {place}", access.user()),
            "Give the login rights on the databases to back up; testing the connection names the exact GRANTs.",
        )),
        Databases::All => Ok(found),
        Databases::Named(names) => {
            let one = |name: &String| {
                let there = found.iter().find(|database| database.name == *name);
                there.cloned().ok_or_else(|| {
                    JobError::new(
                        ErrorCode::DatabaseNotFound,
                        format!("{place} has no database {name:?} that {} can see", access.user()),
                        "Correct the list of databases, or give the login rights on it.",
                    )
                })
            };
            names.iter().map(one).collect()
        }
    }
}

fn lacks(access: &Access, missing: &[String]) -> JobError {
    let (first, more) = (&missing[0], missing.len() - 1);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    JobError::new(
        ErrorCode::MissingPrivilege,
        format!(
            "{} lacks rights on {}; its dump would silently miss something. Needed: {first}{more}",
            access.user(),
            access.place()
        ),
        "Run the GRANTs that testing the connection lists.",
    )
}

/// What the user should know of a database before trusting its dump.
async fn notes(database: &Database, content: &Content, sink: &CaptureSink) -> Result<(), JobError> {
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

fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(MAX_NAMES)].join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

async fn dump(
    access: &Access,
    server: &Server,
    database: &Database,
    content: &Content,
    sink: &CaptureSink,
    cancel: &CancellationToken,
) -> Result<(), JobError> {
    let broken: Vec<_> = content.broken_views.iter().map(|(name, _)| name.clone()).collect();
    let program = access.dump(server.flavour, &database.name, &broken);
    access.take_failure();
    let starting = cancel.run_until_cancelled(program.start(access.at(), Stdin::Empty));
    let running = starting.await.ok_or_else(cancelled)??;
    let dump = Dump {
        what: &format!("the database {}", database.name),
        begins_with: b"",
        last_line: Some(LAST_LINE),
        least: LEAST,
        silence: SILENCE,
    };
    let path = dump_path(&database.name, "sql")?;
    if let Err(fault) = dump.send(running, path, sink, cancel).await {
        return Err(reason(access, fault));
    }
    let dumped_with = &access.dumper(server.flavour).version;
    let path: EntryPath = dump_path(&database.name, "json")?;
    sink.document(path, record(server, database, content, dumped_with))
        .await
}

/// Why a dump failed: the connection knows best, then the program's own words.
fn reason(access: &Access, fault: DumpFault) -> JobError {
    if matches!(fault.cause, DumpCause::Stopped(_)) {
        return fault.into_error();
    }
    if let Some(failure) = access.take_failure() {
        return failure;
    }
    let sorted = match fault.cause {
        DumpCause::Ended(_) => faults::sorted(access, &fault.said),
        _ => None,
    };
    sorted.unwrap_or_else(|| fault.into_error())
}

/// What a capture that was cancelled ends with.
pub(super) fn cancelled() -> JobError {
    JobError::new(ErrorCode::Cancelled, "the backup was cancelled", "")
}
