//! A MariaDB that lives as long as a job.

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
        mysql::{Access, identifier},
        program::{At, Limits, Program, Stdin},
    },
    domain::{error_code::ErrorCode, job::JobError},
};

/// The login that loads and counts, and the only one there is by then.
const LOADER: &str = "xvault";

/// Databases that are the server's own.
const RESERVED: [&str; 4] = ["mysql", "information_schema", "performance_schema", "sys"];

/// Prints the paths of the two programs.
const LOOK: &str = "for p in mariadb-install-db mariadbd; do \
    for c in \"$p\" /usr/sbin/$p /usr/libexec/$p /usr/local/sbin/$p /usr/bin/$p; do \
    f=$(command -v \"$c\") && { printf '%s\\n' \"$f\"; break; }; done; done; exit 0";

/// A running server with empty databases, for one login.
pub struct MariadbThrowaway {
    process: Process,
    access: Access,
    version: String,
}

/// A database to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewDatabase<'a> {
    /// Its name.
    pub name: &'a str,
    /// For example `utf8mb4`.
    pub character_set: &'a str,
    /// For example `utf8mb4_general_ci`.
    pub collation: &'a str,
}

impl MariadbThrowaway {
    /// Makes a server with these databases.
    ///
    /// # Errors
    /// `server_missing`, `client_missing`, `workspace_full`; `load_failed` if a database cannot be made.
    pub async fn start(
        ground: &Ground,
        databases: &[NewDatabase<'_>],
        cancel: &CancellationToken,
    ) -> Result<Self, JobError> {
        let [install, server] = find(cancel).await?;
        let cell = Cell::find(cancel).await?;
        let place = Place::make(ground)?;
        let own = place.own();
        let path = |name: &str| own.join(name).display().to_string();
        for directory in ["data", "tmp", "files"] {
            place.make_directory(directory)?;
        }
        let made = cell
            .program(&install)
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ])
            .arg(format!("--datadir={}", path("data")))
            // A server that starts removes all temporary tables there, whosever they are.
            .arg(format!("--tmpdir={}", path("tmp")));
        make(&made, "making a MariaDB", cancel).await?;
        let program = cell
            .program(&server)
            .args(OPTIONS)
            .arg(format!("--datadir={}", path("data")))
            .arg(format!("--socket={}", path("s")))
            .arg(format!("--pid-file={}", path("pid")))
            .arg(format!("--tmpdir={}", path("tmp")))
            .arg(format!("--secure-file-priv={}", path("files")));
        let socket = own.join("s");
        let root = Access::on_worker(socket.clone(), "root", cancel).await?;
        let answers = || answers(&root, &socket, cancel);
        let process = Process::start(place, &program, answers, cancel).await?;
        let prepared = prepare(&root, databases, cancel).await;
        let access = match prepared {
            Ok(version) => {
                let access = Access::on_worker(socket, LOADER, cancel).await;
                access.map(|access| (access, version))
            }
            Err(error) => Err(error),
        };
        match access {
            Ok((access, version)) => Ok(Self {
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

    /// The login that may do anything to the databases, and nothing else.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// For example `MariaDB 10.11.19`.
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

/// No network; nothing that happens by itself; nothing that lasts.
const OPTIONS: [&str; 14] = [
    "--no-defaults",
    "--skip-networking",
    "--event-scheduler=OFF",
    "--local-infile=0",
    "--symbolic-links=0",
    "--skip-log-bin",
    "--max-connections=10",
    "--max-allowed-packet=1G",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=256M",
    "--innodb-log-file-size=64M",
    "--character-set-server=utf8mb4",
    "--performance-schema=OFF",
];

async fn answers(root: &Access, socket: &Path, cancel: &CancellationToken) -> bool {
    socket.exists() && root.query("SELECT 1;", cancel).await.is_ok()
}

/// Makes the databases, and a login for them. Then all other accounts go, the superuser's among them: a view or routine runs
/// with the rights of whom it names as its definer, and the loader may name anybody, as dumps do. Gives the server's version.
async fn prepare(root: &Access, databases: &[NewDatabase<'_>], cancel: &CancellationToken) -> Result<String, JobError> {
    let mut sql = format!("CREATE USER {LOADER}@localhost; GRANT SET USER ON *.* TO {LOADER}@localhost;\n");
    for database in databases {
        let name = database.name;
        if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
            return Err(JobError::new(
                ErrorCode::NothingToProve,
                format!("the snapshot says it has a dump of {name}, which is a part of the server itself"),
                "No backup makes such a dump; the snapshot is not what it says.",
            ));
        }
        root.create_database(name, database.character_set, database.collation, cancel)
            .await?;
        // In a GRANT these two stand for any characters.
        let pattern = name.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%");
        sql += &format!("GRANT ALL ON {}.* TO {LOADER}@localhost;\n", identifier(&pattern));
    }
    sql += &format!("DELETE FROM mysql.global_priv WHERE User <> '{LOADER}'; FLUSH PRIVILEGES;");
    sql += "\nSELECT VERSION();";
    let prepared = root.query(&sql, cancel).await;
    let version = prepared.map_err(|error| failed("preparing a MariaDB", &error.message))?;
    let version = version.concat().concat();
    Ok(format!("MariaDB {}", version.split('-').next().unwrap_or_default()))
}

async fn find(cancel: &CancellationToken) -> Result<[String; 2], JobError> {
    let look = Program::new("sh").args(["-c", LOOK]);
    let ran = look.run(At::Worker, Stdin::Empty, Limits::default(), cancel).await?;
    let text = String::from_utf8_lossy(&ran.stdout);
    let paths: Vec<_> = text.lines().map(str::to_owned).collect();
    paths.try_into().map_err(|_| {
        JobError::new(
            ErrorCode::ServerMissing,
            "the worker has no MariaDB server (mariadbd, mariadb-install-db) to load the dump into",
            "Install mariadb-server-core on the worker; it is not started by that.",
        )
    })
}
