//! What the tests of this kind share: a site that real WordPress made, on a real server, and captures of it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use xvault::{
    connectors::{
        CaptureReport, CaptureSink, Connector, ProbeReport,
        wordpress::{WordpressConnector, WordpressSource},
    },
    domain::{
        entry::{Captured, EntryKind, FileEnd, Problem},
        job::JobError,
        source::{SourceKind, WordpressConfig},
    },
};

use crate::support::{mariadb::MariaDb, scratch::temp_dir, ssh_place::Place, sshd::Sshd};

pub const CORE: &str = "/usr/share/wordpress";
/// Characters that PHP, options, shells and SQL treat in their own ways.
pub const PASSWORD: &str = r#"p'w "x\y" $z # %s"#;

/// A database server with a site in it, and the server that the site lies on.
pub struct Blog {
    pub server: MariaDb,
    pub ssh: Sshd,
    pub place: Place,
    /// Where files of the site are made.
    pub home: PathBuf,
}

/// What came out of a capture.
#[derive(Debug, Default)]
pub struct Stored {
    pub files: BTreeMap<String, Vec<u8>>,
    pub links: BTreeMap<String, String>,
    pub directories: Vec<String>,
    pub problems: Vec<Problem>,
}

impl Stored {
    pub fn text(&self, path: &str) -> String {
        let file = self.files.get(path);
        String::from_utf8(file.unwrap_or_else(|| panic!("no {path}")).clone()).unwrap()
    }

    pub fn site(&self) -> serde_json::Value {
        serde_json::from_str(&self.text("wordpress.json")).unwrap()
    }

    pub fn has(&self, path: &Path) -> bool {
        self.files.contains_key(path.to_str().unwrap().trim_start_matches('/'))
    }

    /// All problems, one per line.
    pub fn told(&self) -> String {
        let lines = self
            .problems
            .iter()
            .map(|problem| format!("{}: {}\n", problem.path, problem.message));
        lines.collect()
    }

    /// Writes everything below a directory.
    pub fn restore(&self, to: &Path) {
        for path in &self.directories {
            fs::create_dir_all(to.join(path)).unwrap();
        }
        for (path, content) in &self.files {
            let path = to.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        for (path, target) in &self.links {
            let path = to.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target, path).unwrap();
        }
    }
}

impl Blog {
    pub fn start() -> Self {
        Self::on(Sshd::start())
    }

    /// On this server.
    pub fn on(ssh: Sshd) -> Self {
        let server = MariaDb::start();
        login(&server);
        server.sql("create database blog character set utf8mb4");
        server.sql_in("blog", installed());
        let home = ssh.home();
        Self {
            server,
            ssh,
            place: Place::new(),
            home,
        }
    }

    /// A directory with as much of WordPress as tells that it is one, with an upload in it.
    pub fn core(&self, name: &str) -> PathBuf {
        let root = self.home.join(name);
        fs::create_dir_all(root.join("wp-includes")).unwrap();
        fs::create_dir_all(root.join("wp-content/uploads/2026/11")).unwrap();
        for file in ["index.php", "wp-load.php", "wp-settings.php", "wp-includes/version.php"] {
            fs::copy(Path::new(CORE).join(file), root.join(file)).unwrap();
        }
        fs::write(root.join("wp-content/uploads/2026/11/photo.jpg"), b"\xff\xd8 photo").unwrap();
        root
    }

    /// The database's address for `DB_HOST`.
    pub fn tcp(&self) -> String {
        format!("127.0.0.1:{}", self.server.port)
    }

    /// A configuration for the database at `host`.
    pub fn config(&self, host: &str) -> String {
        let password = PASSWORD.replace('\\', r"\\").replace('\'', r"\'");
        format!(
            "<?php\ndefine( 'DB_NAME', 'blog' );\ndefine( 'DB_USER', 'site' );\ndefine( 'DB_PASSWORD', '{password}' );\n\
             define( 'DB_HOST', '{host}' );\ndefine( 'DB_CHARSET', 'utf8mb4' );\n$table_prefix = 'wp_';\n\
             if ( ! defined( 'ABSPATH' ) ) {{\n\tdefine( 'ABSPATH', __DIR__ . '/' );\n}}\nrequire_once ABSPATH . 'wp-settings.php';\n"
        )
    }

    /// A site at `name`, with this configuration in it.
    pub fn site(&self, name: &str, config: &str) -> PathBuf {
        let root = self.core(name);
        fs::write(root.join("wp-config.php"), config).unwrap();
        root
    }

    pub fn source(&self, path: &Path) -> WordpressSource {
        let ssh = self.ssh.source(SourceKind::Ssh, &[]);
        WordpressSource {
            config: WordpressConfig {
                host: ssh.config.host,
                port: ssh.config.port,
                user: ssh.config.user,
                path: path.display().to_string(),
                exclude: Vec::new(),
                jump: None,
            },
            credentials: ssh.credentials,
            identity: ssh.identity,
        }
    }

    pub fn connector(&self, path: &Path) -> WordpressConnector {
        WordpressConnector::new(self.source(path), self.place.ctx.clone()).unwrap()
    }

    /// A capture that must succeed.
    pub async fn captured(&self, path: &Path) -> (Stored, CaptureReport) {
        let (stored, result) = self.capture(path).await;
        (stored, result.unwrap_or_else(|error| panic!("{error}: {}", error.hint)))
    }

    /// The error of a capture that must fail before anything is stored.
    pub async fn refused(&self, path: &Path) -> JobError {
        let (stored, result) = self.capture(path).await;
        let error = result.expect_err("it must fail");
        assert!(!error.hint.is_empty() && !error.message.contains('\n'), "{error:?}");
        assert!(!error.message.contains(PASSWORD), "{error:?}");
        assert!(stored.files.is_empty(), "{:?}", stored.files.keys());
        error
    }

    async fn capture(&self, path: &Path) -> (Stored, Result<CaptureReport, JobError>) {
        let (sink, items) = CaptureSink::channel();
        let connector = self.connector(path);
        let (stored, result) = tokio::join!(store(items), connector.capture(sink, CancellationToken::new()));
        assert_eq!(self.place.left_behind(), 0);
        (stored, result)
    }

    pub async fn probed(&self, path: &Path) -> ProbeReport {
        let report = self.connector(path).probe(CancellationToken::new()).await.unwrap();
        assert_eq!(self.place.left_behind(), 0);
        report
    }

    /// Everything that a database says in SQL, without comments.
    pub fn everything(&self, database: &str) -> String {
        let output = Command::new("mariadb-dump")
            .args([
                "--no-defaults",
                "--user=root",
                "--skip-comments",
                "--skip-dump-date",
                "--hex-blob",
                "--skip-extended-insert",
            ])
            .arg(format!("--socket={}", self.server.socket().display()))
            .arg(database)
            .output()
            .expect("mariadb-dump (package mariadb-client)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The login that the site's configuration names: it may do everything in its database, as is usual.
fn login(server: &MariaDb) {
    let password = PASSWORD.replace('\\', r"\\").replace('\'', "''");
    server.sql(&format!(
        "create user site@'%' identified by '{password}'; grant all privileges on `blog`.* to site@'%'"
    ));
}

/// Runs PHP code within a WordPress whose root this is.
pub fn wordpress(root: &Path, code: &str) -> String {
    let code = format!(
        "error_reporting(0); $_SERVER['HTTP_HOST'] = 'blog.example.com'; $_SERVER['REQUEST_URI'] = '/'; \
         require '{}/wp-load.php'; {code}",
        root.display()
    );
    let output = Command::new("php")
        .args(["-r", &code])
        .output()
        .expect("php (package php-cli)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The tables that WordPress itself makes and fills, as SQL; made once.
pub fn installed() -> &'static str {
    static SQL: OnceLock<String> = OnceLock::new();
    SQL.get_or_init(|| {
        let server = MariaDb::start();
        login(&server);
        server.sql("create database blog character set utf8mb4");
        let place = temp_dir("wp");
        let password = PASSWORD.replace('\\', r"\\").replace('\'', r"\'");
        // The core stays where its package has put it.
        let config = format!(
            "<?php define('DB_NAME', 'blog'); define('DB_USER', 'site'); define('DB_PASSWORD', '{password}'); \
             define('DB_HOST', 'localhost:{}'); define('DB_CHARSET', 'utf8mb4'); $table_prefix = 'wp_'; \
             define('WP_CONTENT_DIR', '{}'); define('ABSPATH', '{CORE}/'); define('WP_INSTALLING', true); \
             require ABSPATH . 'wp-settings.php';",
            server.socket().display(),
            place.path().display()
        );
        fs::write(place.path().join("wp-load.php"), config).unwrap();
        let install = "require ABSPATH . 'wp-admin/includes/upgrade.php'; \
            wp_install('Blög 🎉', 'admin', 'admin@example.com', true, '', 'secret', 'en_US'); \
            update_option('siteurl', 'https://blog.example.com'); update_option('home', 'https://blog.example.com'); \
            wp_insert_post(['post_title' => \"It's 🎉 \\\\ \\\"q\\\"\", 'post_content' => str_repeat('words ', 2000), \
            'post_status' => 'publish']); echo 'done';";
        let said = wordpress(place.path(), install);
        assert!(said.ends_with("done"), "{said}");
        let output = Command::new("mariadb-dump")
            .args(["--no-defaults", "--user=root", "--hex-blob", "--skip-comments"])
            .arg(format!("--socket={}", server.socket().display()))
            .arg("blog")
            .output()
            .expect("mariadb-dump (package mariadb-client)");
        String::from_utf8(output.stdout).unwrap()
    })
}

async fn store(mut items: mpsc::Receiver<Captured>) -> Stored {
    let mut stored = Stored::default();
    let mut open: Option<(String, Vec<u8>)> = None;
    while let Some(item) = items.recv().await {
        match item {
            Captured::Stream(path) => open = Some((path.to_string(), Vec::new())),
            Captured::Entry(entry) => match &entry.kind {
                EntryKind::File { .. } => open = Some((entry.path.to_string(), Vec::new())),
                EntryKind::Symlink { target } => {
                    let target = String::from_utf8_lossy(target).into_owned();
                    stored.links.insert(entry.path.to_string(), target);
                }
                EntryKind::Directory => stored.directories.push(entry.path.to_string()),
                EntryKind::HardLink { .. } => panic!("{:?}", entry.path),
            },
            Captured::Data(data) => open.as_mut().expect("a file").1.extend_from_slice(&data),
            Captured::End(end) => {
                let (path, content) = open.take().expect("a file");
                assert_eq!(end, FileEnd::Complete, "{path}");
                assert!(
                    stored.files.insert(path.clone(), content).is_none(),
                    "{path} came twice"
                );
            }
            Captured::Problem(problem) => stored.problems.push(problem),
        }
    }
    if let Some((path, _)) = open {
        stored.files.remove(&path);
    }
    stored
}
