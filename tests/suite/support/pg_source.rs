//! Real PostgreSQL servers on loopback ports, to be backed up. (The catalogue's own is in `postgres`.)
//!
//! ```ignore
//! let server = PgSource::start();
//! server.sql("postgres", "create database shop");   // as its superuser
//! let source = server.source(&["shop"]);             // a login that may read everything
//! ```

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use xvault::{
    connectors::database::DatabaseSource,
    domain::source::{CredentialField, Credentials, DatabaseConfig, DatabaseTls, Databases, PinnedIdentity},
};

use super::{
    certificates::Certificate,
    dump::program,
    ports::free_port,
    scratch::{scratch, temp_dir},
    spawner,
};

const START: Duration = Duration::from_secs(60);

/// Characters that password files, shells and SQL treat in their own ways.
pub const PASSWORD: &str = r#"it's: a "pass\word" #1; $x %s"#;

/// A running server; ends with the value.
pub struct PgSource {
    pub port: u16,
    process: Option<Child>,
    directory: tempfile::TempDir,
}

impl PgSource {
    /// A server without TLS.
    pub fn start() -> Self {
        Self::with(&[], "host all all 127.0.0.1/32 scram-sha-256")
    }

    /// A server that presents this certificate, and takes no plain connections.
    pub fn with_tls(certificate: &Certificate) -> Self {
        let directory = temp_dir("cert");
        open(directory.path(), 0o755);
        let place = |from: PathBuf| {
            let to = directory.path().join(from.file_name().unwrap());
            fs::copy(from, &to).unwrap();
            open(&to, 0o600);
            to.display().to_string()
        };
        let settings = [
            "ssl=on".to_owned(),
            format!("ssl_key_file={}", place(certificate.key())),
            format!("ssl_cert_file={}", place(certificate.certificate())),
        ];
        give_away(directory.path());
        // It reads them only when it starts.
        Self::with(
            &settings.each_ref().map(String::as_str),
            "hostssl all all 127.0.0.1/32 scram-sha-256",
        )
    }

    /// A server with more settings, and this line in its pg_hba.conf.
    pub fn with(settings: &[&str], hba: &str) -> Self {
        let directory = temp_dir("pgsource");
        open(directory.path(), 0o755);
        let data = directory.path().join("data");
        run(Command::new("cp").arg("-a").arg(template()).arg(&data));
        fs::write(data.join("pg_hba.conf"), format!("local all all trust\n{hba}\n")).expect("pg_hba.conf");
        let more: Vec<_> = settings
            .iter()
            .map(|setting| setting.split_once('=').expect("name=value"))
            .map(|(name, value)| format!("{name} = '{value}'\n"))
            .collect();
        fs::write(data.join("postgresql.auto.conf"), more.concat()).expect("settings");
        give_away(directory.path());
        let mut server = Self {
            port: 0,
            process: None,
            directory,
        };
        server.resume();
        server.sql(
            "postgres",
            &format!(
                "create role dump login password '{}'; grant pg_read_all_data to dump",
                PASSWORD.replace('\'', "''")
            ),
        );
        server
    }

    /// Starts it, on a free port the first time.
    pub fn resume(&mut self) {
        if self.port == 0 {
            self.port = free_port();
        }
        let log = fs::File::create(self.directory.path().join("log")).expect("a log");
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "INT"])
            .args(as_postgres())
            .arg("--")
            .arg(program("postgres"))
            .arg("-D")
            .arg(self.directory.path().join("data"))
            .arg("-k")
            .arg(self.directory.path())
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "autovacuum=off"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let mut process = spawner::spawn(command).expect("setpriv (package util-linux)");
        let deadline = Instant::now() + START;
        while !self.answers() {
            let ended = process.try_wait().expect("a child").is_some();
            assert!(
                !ended && Instant::now() < deadline,
                "postgres does not start:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
        self.process = Some(process);
    }

    /// SIGKILLs it; its children end when they see that.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Runs SQL, with psql's own commands, in a database as superuser; gives what it prints.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut command = self.client("psql", database);
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql (package postgresql-client)");
        let mut input = child.stdin.take().expect("piped");
        let text = sql.as_bytes().to_vec();
        let writer = thread::spawn(move || drop(input.write_all(&text)));
        let output = child.wait_with_output().expect("a child");
        writer.join().expect("a writer");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// One of its stock programs, set to connect to a database as superuser.
    pub fn client(&self, name: &str, database: &str) -> Command {
        let mut command = Command::new(program(name));
        command
            .env("PGHOST", self.directory.path())
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .env("PGDATABASE", database)
            .env("PGCLIENTENCODING", "UTF8");
        command
    }

    /// How many connections the login has.
    pub fn connections(&self) -> usize {
        let count = "select count(*) from pg_stat_activity where usename = 'dump'";
        self.sql("postgres", count).trim().parse().expect("a number")
    }

    /// A source at this server, without TLS.
    pub fn source(&self, databases: &[&str]) -> DatabaseSource {
        let mut credentials = Credentials::default();
        credentials.set(CredentialField::Password, PASSWORD.into());
        DatabaseSource {
            config: DatabaseConfig {
                host: "127.0.0.1".into(),
                port: self.port,
                user: "dump".into(),
                databases: match databases {
                    [] => Databases::All,
                    names => Databases::Named(names.iter().map(|&name| name.to_owned()).collect()),
                },
                tls: Some(DatabaseTls::None),
                ca: None,
                over_ssh: None,
            },
            credentials,
            identity: PinnedIdentity::default(),
        }
    }

    fn answers(&self) -> bool {
        let mut command = self.client("psql", "postgres");
        let asked = command
            .args(["-X", "-c", "select 1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for PgSource {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A fresh data directory, made once.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let data = scratch().join("pgsource-template");
        fs::create_dir(&data).expect("a directory");
        give_away(&data);
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(as_postgres()).arg("--");
        command.arg(program("initdb")).args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        run(command.arg("-D").arg(&data));
        data
    })
}

/// It refuses to run as root.
fn as_postgres() -> &'static [&'static str] {
    match rustix::process::geteuid().is_root() {
        true => &["--reuid", "postgres", "--regid", "postgres", "--clear-groups"],
        false => &[],
    }
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("its own file");
}

fn give_away(directory: &Path) {
    if rustix::process::geteuid().is_root() {
        run(Command::new("chown").args(["-R", "postgres:postgres"]).arg(directory));
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("a program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
