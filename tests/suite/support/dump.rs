//! Dumps of a database and their return, with PostgreSQL's own programs, as operators do it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use secrecy::ExposeSecret;

use super::postgres::{Database, execute};

impl Database {
    /// `pg_dump --format=custom` into `file`.
    pub fn dump(&self, file: &Path) {
        let mut command = Command::new(program("pg_dump"));
        command.arg("--format=custom").arg(self.url.expose_secret());
        run(command.stdout(File::create(file).expect("a file for the dump")));
    }

    /// Drops the database and makes it again out of `file`. Nobody may be using it.
    pub async fn restore(&self, file: &Path) {
        for sql in ["drop database", "create database"] {
            execute(&self.cluster, format!("{sql} {}", self.name)).await;
        }
        let mut command = Command::new(program("pg_restore"));
        command
            .arg("--exit-on-error")
            .arg("--dbname")
            .arg(self.url.expose_secret());
        run(command.stdin(File::open(file).expect("the dump")));
    }
}

/// Of the newest PostgreSQL: an older one's programs refuse to talk to it.
pub fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL (package postgresql)");
    let newest = versions
        .flatten()
        .max_by_key(|version| version.file_name().to_string_lossy().parse::<u32>().unwrap_or(0));
    newest.expect("a version of PostgreSQL").path().join("bin").join(name)
}

fn run(command: &mut Command) {
    let output = command
        .stderr(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output);
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error} (package postgresql-client)"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
