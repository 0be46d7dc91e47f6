//! Real MariaDB servers on loopback ports.
//!
//! ```ignore
//! let server = MariaDb::start();
//! server.sql("create database shop");          // as root, over its socket
//! let source = server.source("shop");          // a login that may do what a dump needs
//! ```

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::OnceLock,
};

use xvault::connectors::database::DatabaseSource;

use super::{
    certificates::Certificate,
    ports::free_port,
    run::run,
    scratch::{scratch, temp_dir},
    source_server::{self, Owner, feed, is_content, open},
};

const MYSQL: Owner = Owner("mysql");

/// Characters that options, shells and SQL treat in their own ways.
pub const PASSWORD: &str = r#"it's a "pass\word" #1; $x %s"#;

/// A running server; ends with the value.
pub struct MariaDb {
    pub port: u16,
    process: Option<Child>,
    options: Vec<String>,
    directory: tempfile::TempDir,
}

impl MariaDb {
    /// A server without TLS.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A server that presents this certificate.
    pub fn with_tls(certificate: &Certificate) -> Self {
        // It reads them only when it starts.
        let (_directory, [key, cert]) = MYSQL.keeps(certificate);
        Self::with(&[&format!("--ssl-key={key}"), &format!("--ssl-cert={cert}")])
    }

    /// A server with more options.
    pub fn with(options: &[&str]) -> Self {
        let directory = temp_dir("maria");
        open(directory.path(), 0o755);
        let data = directory.path().join("data");
        run(Command::new("cp").arg("-a").arg(template()).arg(&data));
        fs::create_dir(directory.path().join("tmp")).expect("its own directory");
        MYSQL.take(directory.path());
        let mut server = Self {
            port: 0,
            process: None,
            options: options.iter().map(|&option| option.to_owned()).collect(),
            directory,
        };
        server.resume();
        server.sql("create user dump@'%' identified via mysql_native_password using password('')");
        server.sql(&format!(
            "set password for dump@'%' = password('{}')",
            PASSWORD.replace('\\', r"\\").replace('\'', "''")
        ));
        server
    }

    /// Starts it, on a free port the first time.
    pub fn resume(&mut self) {
        if self.port == 0 {
            self.port = free_port();
        }
        let path = |name: &str| self.directory.path().join(name).display().to_string();
        let mut command = MYSQL.runs("KILL", program("mariadbd"));
        command.args([
            "--no-defaults".to_owned(),
            format!("--datadir={}", path("data")),
            format!("--socket={}", self.socket().display()),
            format!("--pid-file={}", path("pid")),
            // A server that starts removes all temporary tables there; another server crashes without its own.
            format!("--tmpdir={}", path("tmp")),
            format!("--port={}", self.port),
        ]);
        command.args([
            "--bind-address=127.0.0.1",
            "--innodb-buffer-pool-size=64M",
            "--innodb-flush-log-at-trx-commit=0",
            "--skip-name-resolve",
            "--event-scheduler=ON",
        ]);
        command.args(&self.options);
        let log = self.directory.path().join("log");
        self.process = Some(source_server::start(command, &log, || self.answers()));
    }

    /// SIGKILLs it.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Runs SQL as root, with the client's own commands (`delimiter`); gives what it prints.
    pub fn sql(&self, sql: &str) -> String {
        self.sql_in("", sql)
    }

    /// The same in a database.
    pub fn sql_in(&self, database: &str, sql: &str) -> String {
        feed(self.client().arg(format!("--database={database}")), sql)
    }

    /// How many connections it has beside the one that asks.
    pub fn connections(&self) -> usize {
        let count = self.sql("select count(*) from information_schema.processlist where user = 'dump'");
        count.trim().parse().expect("a number")
    }

    /// Gives the login everything that a dump of `database` needs: what the documentation says.
    pub fn grant(&self, database: &str) {
        self.sql(&format!(
            "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `{database}`.* TO dump@'%'; GRANT SELECT ON mysql.proc TO dump@'%'"
        ));
    }

    /// A source at this server, without TLS.
    pub fn source(&self, databases: &[&str]) -> DatabaseSource {
        source_server::source(self.port, PASSWORD, databases)
    }

    fn client(&self) -> Command {
        let mut command = Command::new("mariadb");
        command.args([
            "--no-defaults",
            "--user=root",
            "--skip-ssl",
            "--batch",
            "--skip-column-names",
        ]);
        command.args(["--default-character-set=utf8mb4", "--max-allowed-packet=1G"]);
        command.arg(format!("--socket={}", self.socket().display()));
        command
    }

    fn answers(&self) -> bool {
        is_content(self.client().args(["-e", "select 1"]))
    }

    /// Its unix socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A fresh data directory, made once.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let data = scratch().join("mariadb-template");
        fs::create_dir(&data).expect("a directory");
        MYSQL.take(&data);
        let mut command = MYSQL.runs("KILL", program("mariadb-install-db"));
        command.env("TMPDIR", &data);
        command.args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]);
        run(command.arg(format!("--datadir={}", data.display())));
        data
    })
}

fn program(name: &str) -> PathBuf {
    let places = ["/usr/sbin", "/usr/bin"].map(|place| Path::new(place).join(name));
    let found = places.into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is missing: apt-get install mariadb-server mariadb-client"))
}
