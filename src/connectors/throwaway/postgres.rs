//! A PostgreSQL that lives as long as a job.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::{
    Ground,
    confine::Cell,
    ground::{Place, Room},
    process::{Process, failed, make},
};
use crate::{
    connectors::{
        postgres::{Access, identifier, literal, major},
        program::{At, Limits, Program, Stdin},
    },
    domain::{error_code::ErrorCode, job::JobError},
};

const SUPERUSER: &str = "postgres";

/// The login that loads and counts.
const LOADER: &str = "xvault";

/// Sockets are found by their directory and the port in their name.
const SOCKET: &str = ".s.PGSQL.5432";

/// Prints `directory/<TAB>version` of each installation of a server.
const LOOK: &str = "for d in /usr/lib/postgresql/*/bin/ /usr/pgsql-*/bin/ /usr/local/pgsql/bin/ \
    \"$(dirname \"$(command -v postgres || echo /nowhere/x)\")/\"; do \
    [ -x \"${d}initdb\" ] && v=$(\"${d}postgres\" --version 2>/dev/null) && printf '%s\\t%s\\n' \"$d\" \"$v\"; \
    done; exit 0";

/// A running server with empty databases, for one login.
pub struct PostgresThrowaway {
    process: Process,
    access: Access,
    version: String,
}

/// A database to be made.
#[derive(Debug, Clone)]
pub struct NewDatabase {
    /// Its name.
    pub name: String,
    /// For example `UTF8`.
    pub encoding: String,
    /// Extensions in it, and the schema of each.
    pub extensions: Vec<(String, String)>,
}

impl PostgresThrowaway {
    /// Makes a server of this major version, or the next newer one there is, with these databases and roles without rights of
    /// these names.
    ///
    /// # Errors
    /// `server_missing`, `client_missing`, `workspace_full`; `load_failed` if a database cannot be made.
    pub async fn start(
        ground: &Ground,
        wanted: u32,
        databases: &[NewDatabase],
        roles: &[String],
        cancel: &CancellationToken,
    ) -> Result<Self, JobError> {
        let (directory, version) = find(wanted, cancel).await?;
        let cell = Cell::find(cancel).await?;
        let place = Place::make(ground)?;
        place.make_directory("data")?;
        let own = place.own();
        let data = own.join("data").display().to_string();
        let initdb = cell.program(&format!("{directory}initdb")).args([
            "--auth=trust",
            "--encoding=UTF8",
            // Databases of every encoding fit it.
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        ]);
        let initdb = initdb
            .arg(format!("--username={SUPERUSER}"))
            .arg(format!("--pgdata={data}"));
        make(&initdb, "making a PostgreSQL", cancel).await?;
        let mut server = cell.program(&format!("{directory}postgres")).args(["-D", &data]);
        server = server.args(["-c", &format!("unix_socket_directories={}", own.display())]);
        for setting in SETTINGS {
            server = server.args(["-c", setting]);
        }
        let socket = own.join(SOCKET);
        let superuser = Access::on_worker(socket.clone(), SUPERUSER, cancel).await?;
        let answers = || answers(&superuser, &socket, cancel);
        let process = Process::start(place, &server, answers, cancel).await?;
        let access = match prepare(&superuser, databases, roles, cancel).await {
            Ok(()) => Access::on_worker(socket, LOADER, cancel).await,
            Err(error) => Err(error),
        };
        match access {
            Ok(access) => Ok(Self {
                process,
                access,
                version,
            }),
            Err(error) => {
                process.end().await;
                Err(error)
            }
        }
    }

    /// The login that owns the databases, and may do nothing else.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// For example `PostgreSQL 15.14`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The disk it lies on, to be watched while it is loaded.
    pub fn room(&self) -> Room {
        self.process.room()
    }

    /// Ends it; returns when nothing is left of it.
    pub async fn end(self) {
        self.process.end().await;
    }
}

/// No network; nothing that lasts; nothing in memory that outlives its processes.
const SETTINGS: [&str; 16] = [
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=1GB",
    "max_connections=10",
    "shared_buffers=128MB",
    "maintenance_work_mem=256MB",
    "dynamic_shared_memory_type=mmap",
    "jit=off",
    "logging_collector=off",
    "log_min_messages=panic",
    "lc_messages=C",
];

async fn answers(superuser: &Access, socket: &Path, cancel: &CancellationToken) -> bool {
    socket.exists() && superuser.command("postgres", "", cancel).await.is_ok()
}

/// Makes the databases and whom they belong to: a login that is no superuser, so that PostgreSQL itself keeps what is loaded
/// from programs and files of the worker. What only a superuser may make and every dump may need, extensions, is made here,
/// by their names alone; then nobody can be superuser any more.
async fn prepare(
    superuser: &Access,
    databases: &[NewDatabase],
    roles: &[String],
    cancel: &CancellationToken,
) -> Result<(), JobError> {
    let run = async |database: &str, sql: &str| {
        let ran = superuser.command(database, sql, cancel).await;
        ran.map_err(|error| failed("preparing a PostgreSQL", &error.message))
    };
    // It may see every row of what it owns, whatever the policies say.
    run("postgres", &format!("CREATE ROLE {LOADER} LOGIN BYPASSRLS;")).await?;
    for role in roles
        .iter()
        .filter(|role| ![SUPERUSER, LOADER].contains(&role.as_str()))
    {
        // One that is a system's, or there already.
        let _ = superuser
            .command("postgres", &format!("CREATE ROLE {};", identifier(role)), cancel)
            .await;
    }
    for database in databases {
        superuser
            .create_database(&database.name, &database.encoding, Some(LOADER), cancel)
            .await?;
        for (extension, schema) in &database.extensions {
            extend(superuser, &database.name, extension, schema, cancel).await?;
        }
    }
    run("postgres", &format!("ALTER ROLE {SUPERUSER} NOLOGIN;")).await
}

#[derive(serde::Deserialize)]
struct Available {
    trusted: bool,
}

/// Makes an extension that the loader could not make itself.
async fn extend(
    superuser: &Access,
    database: &str,
    extension: &str,
    schema: &str,
    cancel: &CancellationToken,
) -> Result<(), JobError> {
    let sql = format!(
        "SELECT json_build_object('trusted', bool_or(trusted)) FROM pg_available_extension_versions WHERE name = {} \
         HAVING count(*) > 0;",
        literal(extension)
    );
    match superuser.query::<Available>(database, &sql, cancel).await?.first() {
        Some(Available { trusted: true }) => Ok(()),
        Some(Available { trusted: false }) => {
            let (name, schema) = (identifier(extension), identifier(schema));
            let sql = format!(
                "CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {LOADER}; CREATE EXTENSION {name} WITH SCHEMA {schema} CASCADE;"
            );
            let made = superuser.command(database, &sql, cancel).await;
            made.map_err(|error| failed(&format!("making the extension {extension}"), &error.message))
        }
        None => Err(JobError::new(
            ErrorCode::ServerMissing,
            format!("the worker's PostgreSQL has no extension {extension}, which the database {database} uses"),
            "Install the extension's package for that version of PostgreSQL on the worker.",
        )),
    }
}

async fn find(wanted: u32, cancel: &CancellationToken) -> Result<(String, String), JobError> {
    let look = Program::new("sh").args(["-c", LOOK]);
    let ran = look.run(At::Worker, Stdin::Empty, Limits::default(), cancel).await?;
    let text = String::from_utf8_lossy(&ran.stdout);
    let found = text.lines().filter_map(|line| {
        let (directory, version) = line.split_once('\t')?;
        Some((major(version)?, directory.to_owned(), version.trim().to_owned()))
    });
    let mut found: Vec<_> = found.collect();
    found.sort();
    let majors: Vec<_> = found.iter().map(|(major, ..)| major.to_string()).collect();
    match found.into_iter().find(|(major, ..)| *major >= wanted) {
        Some((_, directory, version)) => {
            let number = version.split_once(") ").map_or("", |(_, number)| number);
            let number = number.split(' ').next().unwrap_or_default();
            Ok((directory, format!("PostgreSQL {number}")))
        }
        None => Err(JobError::new(
            ErrorCode::ServerMissing,
            match majors.is_empty() {
                true => "the worker has no PostgreSQL server (postgres, initdb) to load the dump into".to_owned(),
                false => format!(
                    "the dump was made by PostgreSQL {wanted}, and the worker has servers of version {} only",
                    majors.join(", ")
                ),
            },
            format!("Install postgresql-{wanted} on the worker."),
        )),
    }
}
