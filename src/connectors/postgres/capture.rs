//! One capture: everything is asked and checked first, then the roles and each database are dumped as streams.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{
    access::Access,
    archive::RowCounter,
    notes, probe,
    record::record,
    rights,
    server::{self, Database, Server},
    tools::Programs,
};
use crate::{
    connectors::{
        CaptureReport, CaptureSink,
        database::{Server as _, chosen, lacks},
        dump_name::dump_path,
        program::{Dump, Dumped, Onlooker, Program},
    },
    domain::{
        dump,
        dump_rows::DumpRows,
        entry::{EntryPath, ProblemKind},
        error_code::ErrorCode,
        job::JobError,
        source::Databases,
    },
};

/// A server may wait for a lock, sort, or build something for a while before the next row.
const SILENCE: Duration = Duration::from_secs(1800);

/// How every archive in the custom format begins: its name, and the first part of its version. The rest of the head
/// depends on the program's version.
const MAGIC: &[u8] = b"PGDMP\x01";

/// The table of contents of an empty database alone is longer. An archive has no mark at its end: that it is whole
/// is told by the program's exit status alone.
const LEAST_ARCHIVE: u64 = 500;

/// The comments around no roles at all are longer.
const LEAST_GLOBALS: u64 = 100;

/// How the last line of the roles begins.
const LAST_LINE: &str = "-- PostgreSQL database cluster dump complete";

/// Locks that nobody gives up in this time fail the dump.
const LOCK_WAIT: &str = "--lock-wait-timeout=60s";

/// What dumps of PostgreSQL never hold.
pub(super) const NOT_CAPTURED: &[&str] = &[
    "Server settings (postgresql.conf, pg_hba.conf), replication slots and the write-ahead log are not dumped.",
    "Each database is dumped as of one moment; two databases, and the roles, as of different moments.",
];

/// What is missing where the login may not read the hashes.
pub(super) const NO_PASSWORDS: &str =
    "The login may not read the passwords of roles (pg_authid), so roles are dumped without them.";

/// Dumps the chosen databases over an open way.
pub(super) async fn capture(
    access: &Access,
    wanted: &Databases,
    sink: &CaptureSink,
    cancel: &CancellationToken,
) -> Result<CaptureReport, JobError> {
    let server = server::look(access, wanted, cancel).await?;
    let programs = access.dumpers(server.major)?;
    let mut found = server::databases(access, &server, cancel).await?;
    let mut not_carried: Vec<_> = NOT_CAPTURED.iter().map(|&text| text.to_owned()).collect();
    if *wanted == Databases::All {
        let (open, closed): (Vec<_>, Vec<_>) = found.into_iter().partition(|database| database.open);
        let closed: Vec<_> = closed.into_iter().map(|database| database.name).collect();
        not_carried.extend((!closed.is_empty()).then(|| probe::left_out(&closed)));
        found = open;
    }
    let (place, user) = (access.place(), access.user());
    let databases = chosen(place, user, wanted, found, |database| database.name.as_str())?;
    let missing = missing(access, &server, &databases, cancel).await?;
    if !missing.is_empty() {
        return Err(lacks(place, user, &missing));
    }
    let run = Run {
        access,
        server: &server,
        programs,
        sink,
        cancel,
    };
    run.globals().await?;
    for database in &databases {
        run.database(database).await?;
    }
    if !server.reads_passwords {
        not_carried.push(NO_PASSWORDS.to_owned());
    }
    Ok(CaptureReport {
        transport: access.transport(),
        not_carried,
        site: None,
    })
}

/// What the login lacks on any of these databases. Their content is asked for again when each is dumped, so that no
/// more than one is held in memory.
async fn missing(
    access: &Access,
    server: &Server,
    databases: &[Database],
    cancel: &CancellationToken,
) -> Result<Vec<String>, JobError> {
    let mut missing = Vec::new();
    for database in databases {
        if !database.open {
            missing.push(rights::to_connect(&database.name, access.user()));
            continue;
        }
        let content = server::content(access, &database.name, cancel).await?;
        let lacking = rights::missing(server, database, &content, access.user());
        missing.extend(lacking);
    }
    missing.dedup();
    Ok(missing)
}

/// What every dump of a capture needs.
struct Run<'a> {
    access: &'a Access,
    server: &'a Server,
    programs: &'a Programs,
    sink: &'a CaptureSink,
    cancel: &'a CancellationToken,
}

impl Run<'_> {
    /// The roles, and what else belongs to no single database.
    async fn globals(&self) -> Result<(), JobError> {
        let mut program = self
            .programs
            .named("pg_dumpall")
            .args(["--globals-only", "--no-password", LOCK_WAIT]);
        if !self.server.reads_passwords {
            program = program.arg("--no-role-passwords");
        }
        // It would prefer another database to the one that is known to let the login in.
        let program = program.arg(format!("--database={}", as_connection(&self.server.entry)));
        let path = dump::Dump::PostgresGlobals.path().map_err(|invalid| {
            JobError::new(
                ErrorCode::Internal,
                format!("the roles cannot be stored under their name: {invalid}"),
                "This is a fault in xVault; please report it.",
            )
        })?;
        if !self.server.reads_passwords {
            self.note(&path, NO_PASSWORDS).await?;
        }
        let dump = Dump {
            what: "the roles",
            begins_with: b"",
            last_line: Some(LAST_LINE),
            least: LEAST_GLOBALS,
            silence: SILENCE,
        };
        self.send(dump, program, &self.server.entry, path, &mut ())
            .await
            .map(drop)
    }

    async fn database(&self, database: &Database) -> Result<(), JobError> {
        let content = server::content(self.access, &database.name, self.cancel).await?;
        let path = dump_path(&database.name, "dump")?;
        for note in notes::before(self.server, self.programs, &content) {
            self.note(&path, &note).await?;
        }
        let program = self.programs.named("pg_dump").args([
            "--format=custom",
            // Compressing and encrypting is done for all kinds of sources alike.
            "--compress=0",
            "--no-password",
            LOCK_WAIT,
        ]);
        let dump = Dump {
            what: &format!("the database {}", database.name),
            begins_with: MAGIC,
            last_line: None,
            least: LEAST_ARCHIVE,
            silence: SILENCE,
        };
        let mut rows = RowCounter::default();
        let bytes = self.send(dump, program, &database.name, path, &mut rows).await?;
        let counted = rows.counted();
        let rows = DumpRows {
            bytes,
            large_objects: counted.as_ref().map(|counted| counted.large_objects),
            tables: counted.map(|counted| counted.tables),
        };
        let record = record(self.server, database, &content, &self.programs.version, &rows);
        self.sink.document(dump_path(&database.name, "json")?, record).await
    }

    /// Gives the dump's bytes.
    async fn send(
        &self,
        dump: Dump<'_>,
        program: Program,
        database: &str,
        path: EntryPath,
        onlooker: &mut dyn Onlooker,
    ) -> Result<u64, JobError> {
        let program = self.access.signed_in(program, database);
        let sort = |said: &str| self.access.sorted(said);
        let dumping = self
            .access
            .reach()
            .dump(&program, dump, path.clone(), (self.sink, onlooker), sort, self.cancel);
        let Dumped { bytes, said } = dumping.await?;
        for warning in notes::warnings(&said) {
            self.note(&path, &warning).await?;
        }
        Ok(bytes)
    }

    async fn note(&self, path: &EntryPath, text: &str) -> Result<(), JobError> {
        self.sink.problem(ProblemKind::Note, path.as_bytes(), text).await
    }
}

/// A database's name as a connection string, which is what an argument with an equals sign would be taken for.
pub(super) fn as_connection(database: &str) -> String {
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}
