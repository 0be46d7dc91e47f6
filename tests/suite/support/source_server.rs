//! What the database servers that are backed up have in common, whatever they speak.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use xvault::{
    connectors::database::DatabaseSource,
    domain::source::{CredentialField, Credentials, DatabaseConfig, DatabaseTls, Databases, PinnedIdentity},
};

use super::{certificates::Certificate, run::run, scratch::temp_dir, spawner};

const START: Duration = Duration::from_secs(60);

/// A user that a server runs as when the suite is root: they refuse to be root themselves.
#[derive(Clone, Copy)]
pub struct Owner(pub &'static str);

impl Owner {
    /// What runs a program as this user; it gets `signal` when the suite dies.
    pub fn runs(self, signal: &str, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", signal]);
        if rustix::process::geteuid().is_root() {
            command.args(["--reuid", self.0, "--regid", self.0, "--clear-groups"]);
        }
        command.arg("--").arg(program.as_ref());
        command
    }

    /// Makes everything in a directory this user's.
    pub fn take(self, directory: &Path) {
        if rustix::process::geteuid().is_root() {
            let user = format!("{0}:{0}", self.0);
            run(Command::new("chown").args(["-R", &user]).arg(directory));
        }
    }

    /// A directory of this user's with a key and a certificate, and their paths.
    pub fn keeps(self, certificate: &Certificate) -> (tempfile::TempDir, [String; 2]) {
        let directory = temp_dir("cert");
        let place = |from: PathBuf| {
            let to = directory.path().join(from.file_name().expect("a file"));
            fs::copy(from, &to).expect("a copy");
            open(&to, 0o600);
            to.display().to_string()
        };
        let paths = [certificate.key(), certificate.certificate()].map(place);
        open(directory.path(), 0o755);
        self.take(directory.path());
        (directory, paths)
    }
}

/// Starts a server and waits until it answers.
pub fn start(mut command: Command, log: &Path, mut answers: impl FnMut() -> bool) -> Child {
    let log_file = fs::File::create(log).expect("a log");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file);
    let what = format!("{command:?}");
    let mut process = spawner::spawn(command).expect("setpriv (package util-linux)");
    let deadline = Instant::now() + START;
    while !answers() {
        let ended = process.try_wait().expect("a child").is_some();
        let said = || fs::read_to_string(log).unwrap_or_default();
        assert!(
            !ended && Instant::now() < deadline,
            "{what} does not start:\n{}",
            said()
        );
        thread::sleep(Duration::from_millis(20));
    }
    process
}

/// True if a client program is content.
pub fn is_content(client: &mut Command) -> bool {
    let asked = client.stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Gives a client program statements to run; returns what it prints.
pub fn feed(client: &mut Command, sql: &str) -> String {
    let mut child = client
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{client:?}: {error} (packages mariadb-client, postgresql-client)"));
    let mut input = child.stdin.take().expect("piped");
    let text = sql.as_bytes().to_vec();
    let writer = thread::spawn(move || drop(input.write_all(&text)));
    let output = child.wait_with_output().expect("a child");
    writer.join().expect("a writer");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A source at a port of this machine, with the login `dump`, without TLS; no names stand for all databases.
pub fn source(port: u16, password: &str, databases: &[&str]) -> DatabaseSource {
    let mut credentials = Credentials::default();
    credentials.set(CredentialField::Password, password.into());
    DatabaseSource {
        config: DatabaseConfig {
            host: "127.0.0.1".into(),
            port,
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

/// Sets a file's or directory's mode.
pub fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("its own file");
}
