//! Real PostgreSQL servers on loopback ports, to be backed up. (The catalogue's own is in `postgres`.)
//!
//! ```ignore
//! let server = PgSource::start();
//! server.sql("postgres", "create database shop");   // as its superuser
//! let source = server.source(&["shop"]);             // a login that may read everything
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
    dump::program,
    ports::free_port,
    run::run,
    scratch::{scratch, temp_dir},
    source_server::{self, Owner, feed, is_content, open},
};

const POSTGRES: Owner = Owner("postgres");

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
        let (_directory, [key, cert]) = POSTGRES.keeps(certificate);
        let settings = [
            "ssl=on".to_owned(),
            format!("ssl_key_file={key}"),
            format!("ssl_cert_file={cert}"),
        ];
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
        POSTGRES.take(directory.path());
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
        let mut command = POSTGRES.runs("INT", program("postgres"));
        command
            .arg("-D")
            .arg(self.directory.path().join("data"))
            .arg("-k")
            .arg(self.directory.path())
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "autovacuum=off"]);
        let log = self.directory.path().join("log");
        self.process = Some(source_server::start(command, &log, || self.answers()));
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
        feed(&mut command, sql)
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
        source_server::source(self.port, PASSWORD, databases)
    }

    fn answers(&self) -> bool {
        is_content(self.client("psql", "postgres").args(["-X", "-c", "select 1"]))
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
        POSTGRES.take(&data);
        let mut command = POSTGRES.runs("KILL", program("initdb"));
        command.args([
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
