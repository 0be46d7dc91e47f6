//! A private PostgreSQL: made, started and reached without TCP.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;

use super::{account::Account, binaries::Binaries, leash};

/// Owner of everything in the cluster.
pub const SUPERUSER: &str = "xvault";

/// The kernel's limit for socket paths, less the name of PostgreSQL's socket in the directory.
const LONGEST_SOCKET_DIR: usize = 107 - "/.s.PGSQL.5432.lock".len();

/// A cluster on disk, running or not.
#[derive(Debug, Clone)]
pub struct Cluster {
    binaries: Binaries,
    account: Option<Account>,
    /// What `account` needs to reach `data`.
    capability: Option<&'static str>,
    data: PathBuf,
    sockets: PathBuf,
    password: SecretString,
}

impl Cluster {
    /// The cluster in `data`, with its socket in `sockets`; both absolute. Starts nothing.
    pub fn locate(data: &Path, sockets: &Path, password: SecretString) -> anyhow::Result<Self> {
        ensure!(
            sockets.as_os_str().len() <= LONGEST_SOCKET_DIR,
            "{} is too long for a socket directory ({LONGEST_SOCKET_DIR} bytes at most)",
            sockets.display()
        );
        let account = Account::choose(data)?;
        let capability = match &account {
            Some(account) => account.capability_to_reach(data)?,
            None => None,
        };
        Ok(Self {
            binaries: Binaries::find(data)?,
            account,
            capability,
            data: data.to_owned(),
            sockets: sockets.to_owned(),
            password,
        })
    }

    /// Makes the cluster unless it is there whole. What an interrupted earlier attempt left is
    /// removed: `initdb` writes into a directory beside it that is renamed at the end.
    pub fn init(&self) -> anyhow::Result<()> {
        if self.data.join("PG_VERSION").exists() {
            return Ok(());
        }
        let unfinished = self.data.with_extension("new");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).with_context(|| format!("cannot remove {}", unfinished.display()))?;
        }
        self.own_directory(&unfinished)?;
        // initdb reads the password from a file only; this one is gone again before anybody may enter.
        let password = unfinished.with_extension("pw");
        fs::write(&password, self.password.expose_secret())?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600))?;
        self.give_away(&password)?;
        let made = leash::leashed(
            &self.binaries.program("initdb"),
            "KILL",
            self.account.as_ref(),
            self.capability,
        )?
        .arg("--pgdata")
        .arg(&unfinished)
        .arg("--pwfile")
        .arg(&password)
        .args(["--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8"])
        .args(["--locale", "C", "--no-instructions", "--no-sync"])
        .current_dir("/")
        .stdin(Stdio::null())
        .output();
        fs::remove_file(&password)?;
        let made = made.context("cannot run initdb")?;
        if !made.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr).trim());
        }
        fs::rename(&unfinished, &self.data).context("cannot move the new cluster to its place")
    }

    /// The server's command, with extra settings (`name=value`). Where its output goes is up to the
    /// caller; see [`leash::leashed`] for the thread to spawn it from.
    pub fn server(&self, settings: &[&str]) -> anyhow::Result<Command> {
        self.own_directory(&self.sockets)?;
        let mut command = leash::leashed(
            &self.binaries.program("postgres"),
            "INT",
            self.account.as_ref(),
            self.capability,
        )?;
        command.arg("-D").arg(&self.data).current_dir("/").stdin(Stdio::null());
        let sockets = format!("unix_socket_directories={}", self.sockets.display());
        let fixed = ["listen_addresses=", "unix_socket_permissions=0700", &sockets];
        for setting in fixed.iter().chain(settings) {
            command.args(["-c", setting]);
        }
        Ok(command)
    }

    /// Makes a directory that only the server's account may enter.
    fn own_directory(&self, directory: &Path) -> anyhow::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        self.give_away(directory)
    }

    fn give_away(&self, path: &Path) -> anyhow::Result<()> {
        match &self.account {
            None => Ok(()),
            Some(Account { uid, gid }) => chown(path, Some(*uid), Some(*gid))
                .with_context(|| format!("cannot give {} to user {uid}", path.display())),
        }
    }

    /// How to connect to `database` as the superuser.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new()
            .socket(&self.sockets)
            .username(SUPERUSER)
            .password(self.password.expose_secret())
            .database(database)
    }

    /// The URL of `database` for a role with this password.
    pub fn url(&self, database: &str, role: &str, password: &SecretString) -> anyhow::Result<SecretString> {
        let mut url = url::Url::parse("postgres://localhost/")?;
        url.set_path(database);
        url.query_pairs_mut().append_pair(
            "host",
            self.sockets.to_str().context("the socket directory is not UTF-8")?,
        );
        // These two fail only for URLs without a host.
        let _ = url.set_username(role);
        let _ = url.set_password(Some(password.expose_secret()));
        Ok(SecretString::from(String::from(url)))
    }

    /// The URL of `database` for the superuser.
    pub fn owner_url(&self, database: &str) -> anyhow::Result<SecretString> {
        self.url(database, SUPERUSER, &self.password)
    }
}
