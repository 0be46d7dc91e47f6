//! Real MariaDB servers on loopback ports.
//!
//! ```ignore
//! let server = MariaDb::start();
//! server.sql("create database shop");          // as root, over its socket
//! let source = server.source("shop");          // a login that may do what a dump needs
//! ```

use std::{
    fs,
    io::Write,
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
    ports::free_port,
    scratch::{scratch, temp_dir},
    spawner,
};

const START: Duration = Duration::from_secs(60);

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
        let directory = temp_dir("cert");
        let place = |from: PathBuf| {
            let to = directory.path().join(from.file_name().unwrap());
            fs::copy(from, &to).unwrap();
            fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
            to.display().to_string()
        };
        fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let (key, cert) = (place(certificate.key()), place(certificate.certificate()));
        // It reads them only when it starts.
        Self::with(&[&format!("--ssl-key={key}"), &format!("--ssl-cert={cert}")])
    }

    /// A server with more options.
    pub fn with(options: &[&str]) -> Self {
        let directory = temp_dir("maria");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(directory.path(), open).expect("its own directory");
        let data = directory.path().join("data");
        run(Command::new("cp").arg("-a").arg(template()).arg(&data));
        fs::create_dir(directory.path().join("tmp")).expect("its own directory");
        give_away(directory.path());
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
        let log = fs::File::create(self.directory.path().join("log")).expect("a log");
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL"])
            .args(as_mysql())
            .arg("--")
            .arg(program("mariadbd"));
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
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut process = spawner::spawn(command).expect("setpriv (package util-linux)");
        let deadline = Instant::now() + START;
        while !self.answers() {
            let ended = process.try_wait().expect("a child").is_some();
            assert!(
                !ended && Instant::now() < deadline,
                "mariadbd does not start:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
        self.process = Some(process);
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
        let mut child = self
            .client()
            .arg(format!("--database={database}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mariadb (package mariadb-client)");
        let mut input = child.stdin.take().expect("piped");
        let text = sql.as_bytes().to_vec();
        let writer = thread::spawn(move || drop(input.write_all(&text)));
        let output = child.wait_with_output().expect("a child");
        writer.join().expect("a writer");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
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
        let mut command = self.client();
        let asked = command
            .args(["-e", "select 1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        asked.status().is_ok_and(|status| status.success())
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
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
        give_away(&data);
        let mut command = Command::new("setpriv");
        command.env("TMPDIR", &data);
        command.args(["--pdeathsig", "KILL"]).args(as_mysql()).arg("--");
        command.arg(program("mariadb-install-db"));
        command.args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]);
        run(command.arg(format!("--datadir={}", data.display())));
        data
    })
}

/// It refuses to run as root.
fn as_mysql() -> &'static [&'static str] {
    match rustix::process::geteuid().is_root() {
        true => &["--reuid", "mysql", "--regid", "mysql", "--clear-groups"],
        false => &[],
    }
}

fn give_away(directory: &Path) {
    if rustix::process::geteuid().is_root() {
        run(Command::new("chown").args(["-R", "mysql:mysql"]).arg(directory));
    }
}

fn program(name: &str) -> PathBuf {
    let places = ["/usr/sbin", "/usr/bin"].map(|place| Path::new(place).join(name));
    let found = places.into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is missing: apt-get install mariadb-server mariadb-client"))
}

fn run(command: &mut Command) {
    let output = command.output().expect("a program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
