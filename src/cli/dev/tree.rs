//! The processes of `xvault dev` and what each is told.
//!
//! Secrets reach them as files named by `…_FILE` variables: an environment is inherited by every
//! `ssh` that a worker starts, a file is not.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use rustix::process::Signal;
use secrecy::SecretString;

use super::{cluster::Cluster, leash::leashed, stale, state::State, supervisor::Supervised};
use crate::{
    config::VARIABLES,
    crypto::{envelope::MasterKey, tokens},
};

/// Its name in the cluster.
const DATABASE: &str = "xvault";
/// The role that workers sign in with.
const WORKER_ROLE: &str = "xvault_worker_login";
/// How often a process that starts is asked whether it is ready.
const ASK: Duration = Duration::from_millis(100);
/// Always allowed in addition to what `XVAULT_EGRESS_ALLOW` says: the sources one tries first.
const LOOPBACK: &str = "127.0.0.0/8,::1/128";

type Variable = (&'static str, OsString);

/// What the processes are told.
pub struct Tree {
    cluster: Cluster,
    cluster_directory: PathBuf,
    database_log: PathBuf,
    binary: PathBuf,
    migrate: Vec<Variable>,
    hub: Vec<Variable>,
    worker: Vec<Variable>,
    /// Hub and worker, as we reach them.
    urls: [String; 2],
    /// True if the first user's password was made just now.
    pub password_is_new: bool,
    /// Where hub users find it.
    pub url: String,
    /// Who they sign in as.
    pub admin_email: String,
    /// With which password, unless they changed it.
    pub admin_password: SecretString,
}

impl Tree {
    /// Makes or reads the secrets and settles every variable. Starts nothing.
    pub fn plant(state: &State, hub: SocketAddr, worker: SocketAddr, admin_email: &str) -> anyhow::Result<Self> {
        let (owner_password, _) = state.secret("database.password", || tokens::generate(""))?;
        let (worker_password, _) = state.secret("worker-database.password", || tokens::generate(""))?;
        state.secret("master.key", MasterKey::generate_base64)?;
        state.secret("worker.token", || tokens::generate("xvw_"))?;
        let (admin_password, password_is_new) = admin_password(state)?;

        let cluster_directory = state.path("postgres");
        let cluster = Cluster::locate(&cluster_directory, &state.sockets()?, owner_password)?;
        let owner_url = state.keep("database.url", &cluster.owner_url(DATABASE)?)?;
        let worker_url = cluster.url(DATABASE, WORKER_ROLE, &worker_password)?;
        let worker_url = state.keep("worker-database.url", &worker_url)?;

        let file = |name: &str| state.secret_file(name).into_os_string();
        let inside = |name: &str| state.path(name).into_os_string();
        let url = match std::env::var("XVAULT_HUB_URL") {
            Ok(url) => url,
            Err(_) => reachable(hub),
        };
        let token = ("XVAULT_WORKER_TOKEN_FILE", file("worker.token"));
        let worker_db_password = ("XVAULT_WORKER_DATABASE_PASSWORD_FILE", file("worker-database.password"));
        let migrate = vec![
            ("XVAULT_DATABASE_URL_FILE", owner_url.clone().into()),
            worker_db_password.clone(),
        ];
        let hub_variables = vec![
            ("XVAULT_DATABASE_URL_FILE", owner_url.into()),
            ("XVAULT_MASTER_KEY_FILE", file("master.key")),
            ("XVAULT_HUB_LISTEN", hub.to_string().into()),
            ("XVAULT_HUB_URL", url.clone().into()),
            ("XVAULT_ADMIN_EMAIL", admin_email.into()),
            ("XVAULT_ADMIN_PASSWORD_FILE", file("admin.password")),
            token.clone(),
            worker_db_password,
        ];
        let mut worker_variables = vec![
            ("XVAULT_DATABASE_URL_FILE", worker_url.into()),
            ("XVAULT_HUB_URL", reachable(hub).into()),
            token,
            ("XVAULT_WORKER_LISTEN", worker.to_string().into()),
            ("XVAULT_STORAGE_DIR", inside("backups")),
            ("XVAULT_DATA_DIR", inside("worker")),
            ("XVAULT_TMP_DIR", inside("tmp")),
            ("XVAULT_EGRESS_ALLOW", egress().into()),
        ];
        if std::env::var_os("XVAULT_WORKER_URL").is_none() {
            worker_variables.push(("XVAULT_WORKER_URL", reachable(worker).into()));
        }
        Ok(Self {
            cluster,
            cluster_directory,
            database_log: state.path("postgres.log"),
            binary: std::env::current_exe().context("cannot find our own program")?,
            migrate,
            hub: hub_variables,
            worker: worker_variables,
            urls: [reachable(hub), reachable(worker)],
            password_is_new,
            url,
            admin_email: admin_email.to_owned(),
            admin_password,
        })
    }

    /// Makes the cluster if need be and clears what a killed predecessor left of it.
    pub fn make_cluster(&self) -> anyhow::Result<()> {
        stale::clear(&self.cluster_directory)?;
        self.cluster.init()
    }

    /// PostgreSQL.
    pub fn database(&self) -> Supervised {
        let (cluster, directory, log) = (
            self.cluster.clone(),
            self.cluster_directory.clone(),
            self.database_log.clone(),
        );
        Supervised {
            name: "database",
            // PostgreSQL's "fast" stop: ends sessions, writes a checkpoint.
            stop_signal: Signal::INT,
            patience: Duration::from_secs(60),
            command: Box::new(move || {
                stale::clear(&directory)?;
                let mut command = cluster.server(&["max_connections=100"])?;
                command.stdout(append(&log)?).stderr(append(&log)?);
                Ok(command)
            }),
        }
    }

    /// Waits for PostgreSQL, then brings the database up to date.
    pub async fn prepare_database(&self) -> anyhow::Result<()> {
        let server = self.cluster.options("postgres");
        loop {
            match crate::db::create_database(&server, DATABASE).await {
                Ok(()) => break,
                // Another cluster's secrets: waiting does not help.
                Err(error) if error.is_refusal() => {
                    return Err(error).context("the database refuses the password kept in secrets/database.password");
                }
                Err(_) => tokio::time::sleep(ASK).await,
            }
        }
        let migrate = command(&self.binary, "migrate", &self.migrate)?;
        let status = tokio::process::Command::from(migrate)
            .kill_on_drop(true)
            .status()
            .await?;
        ensure!(
            status.success(),
            "the database could not be brought up to date (see above)"
        );
        Ok(())
    }

    /// The hub.
    pub fn hub(&self) -> Supervised {
        self.supervised("hub", self.hub.clone())
    }

    /// The worker.
    pub fn worker(&self) -> Supervised {
        self.supervised("worker", self.worker.clone())
    }

    /// Waits until hub and worker answer.
    pub async fn ready(&self) {
        let client = reqwest::Client::new();
        for url in &self.urls {
            let ready = || client.get(format!("{url}/readyz")).send();
            while !ready().await.is_ok_and(|answer| answer.status().is_success()) {
                tokio::time::sleep(ASK).await;
            }
        }
    }

    fn supervised(&self, name: &'static str, variables: Vec<Variable>) -> Supervised {
        let binary = self.binary.clone();
        Supervised {
            name,
            stop_signal: Signal::TERM,
            // Longer than the default of XVAULT_SHUTDOWN_GRACE.
            patience: Duration::from_secs(40),
            command: Box::new(move || command(&binary, name, &variables)),
        }
    }
}

fn command(binary: &Path, name: &str, variables: &[Variable]) -> anyhow::Result<Command> {
    let mut command = leashed(binary, "KILL", None, None)?;
    command.arg(name).stdin(Stdio::null());
    // A secret in our own environment would contradict the file that is named here.
    for secret in VARIABLES.iter().filter(|known| known.secret) {
        command
            .env_remove(secret.name)
            .env_remove(format!("{}_FILE", secret.name));
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

/// The operator's own password if there is one, else one made on the first start.
fn admin_password(state: &State) -> anyhow::Result<(SecretString, bool)> {
    match crate::config::Environment::process().secret("XVAULT_ADMIN_PASSWORD")? {
        Some(given) => {
            state.keep("admin.password", &given)?;
            Ok((given, false))
        }
        None => state.secret("admin.password", || tokens::generate("")),
    }
}

fn append(path: &Path) -> anyhow::Result<File> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.with_context(|| format!("cannot write {}", path.display()))
}

/// The URL of a listening address as seen from this machine.
fn reachable(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => format!("http://127.0.0.1:{}", v4.port()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => format!("http://[::1]:{}", v6.port()),
        other => format!("http://{other}"),
    }
}

fn egress() -> String {
    match std::env::var("XVAULT_EGRESS_ALLOW") {
        Ok(more) => format!("{LOOPBACK},{more}"),
        Err(_) => LOOPBACK.to_owned(),
    }
}
