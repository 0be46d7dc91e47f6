//! The real binary, as the processes that operators run.

use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use tempfile::TempDir;
use xvault::cli::dev::leash::leashed;

use super::{
    eventually,
    eventually::SOON,
    far_host::FarHost,
    http::{self, Api},
    ports::free_port,
    postgres::Database,
    scratch::temp_dir,
    spawner,
};

/// Base64 of 32 bytes.
pub const MASTER_KEY: &str = "bWFzdGVyIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGU=";
/// What workers show the hub.
pub const WORKER_TOKEN: &str = "worker-token-of-the-tests-0123456789abcdef";
/// The first user.
pub const ADMIN_EMAIL: &str = "admin@example.com";
/// And the password.
pub const ADMIN_PASSWORD: &str = "correct horse battery staple";

/// Name and value of an environment variable.
pub type Variable = (&'static str, String);

/// A command of the binary with exactly these `XVAULT_` variables; it dies with the test process.
pub fn command(args: &[&str], env: &[Variable]) -> Command {
    let mut command =
        leashed(env!("CARGO_BIN_EXE_xvault").as_ref(), "KILL", None, None).expect("setpriv (package util-linux)");
    command.args(args).stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("XVAULT_")) {
        command.env_remove(name);
    }
    command.envs(env.iter().map(|(name, value)| (*name, value)));
    command
}

/// A running process of the binary; killed with the value.
pub struct Process {
    child: Child,
    output: Arc<Mutex<String>>,
}

impl Process {
    /// Starts it and collects what it prints.
    pub fn start(args: &[&str], env: &[Variable]) -> Self {
        Self::run(command(args, env))
    }

    fn run(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawner::spawn(command).expect("the binary starts");
        let output = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().expect("piped"), Arc::clone(&output));
        collect(child.stderr.take().expect("piped"), Arc::clone(&output));
        Self { child, output }
    }

    /// What it has printed so far, both streams.
    pub fn output(&self) -> String {
        self.output.lock().expect("no reader panics").clone()
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a signal to our own child");
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().expect("its end");
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// How it ended, if it has.
    pub fn try_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child")
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        eventually::eventually_some("the process ends", SOON, async || self.try_ended()).await
    }

    /// Waits until `/readyz` answers 200 at `url`.
    pub async fn ready(&mut self, url: &str) {
        let client = http::client();
        let end = tokio::time::Instant::now() + SOON;
        loop {
            let answer = client.get(format!("{url}/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            let ended = self.try_ended();
            let late = tokio::time::Instant::now() > end;
            assert!(ended.is_none() && !late, "not ready ({ended:?}): {}", self.output());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("--- output of process {} ---\n{}", self.child.id(), self.output());
        }
    }
}

fn collect(stream: impl Read + Send + 'static, output: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut lines = BufReader::new(stream);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line);
            output.lock().expect("no reader panics").push_str(&text);
            line.clear();
        }
    });
}

/// A hub process.
pub struct Hub {
    pub process: Process,
    /// `http://127.0.0.1:port`
    pub url: String,
    env: Vec<Variable>,
}

/// A worker process and its directories.
pub struct Worker {
    pub process: Process,
    pub url: String,
    pub directories: WorkerDirectories,
    /// What it was started with; a later value wins.
    pub env: Vec<Variable>,
    /// Where it runs, if not here.
    host: Option<Arc<FarHost>>,
}

/// Where a worker keeps things; outlives its process.
pub struct WorkerDirectories {
    root: TempDir,
}

impl WorkerDirectories {
    pub fn storage(&self) -> PathBuf {
        self.root.path().join("backups")
    }

    pub fn tmp(&self) -> PathBuf {
        self.root.path().join("tmp")
    }

    pub fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }
}

impl Hub {
    /// Starts a hub on `database` and waits until it is ready; `more` comes last and wins.
    pub async fn start(database: &Database, more: &[Variable]) -> Self {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let mut env = vec![
            ("XVAULT_DATABASE_URL", database.url.expose_secret().to_owned()),
            ("XVAULT_MASTER_KEY", MASTER_KEY.to_owned()),
            ("XVAULT_HUB_LISTEN", format!("127.0.0.1:{port}")),
            ("XVAULT_HUB_URL", url.clone()),
            ("XVAULT_ADMIN_EMAIL", ADMIN_EMAIL.to_owned()),
            ("XVAULT_ADMIN_PASSWORD", ADMIN_PASSWORD.to_owned()),
            ("XVAULT_WORKER_TOKEN", WORKER_TOKEN.to_owned()),
        ];
        env.extend_from_slice(more);
        let mut process = Process::start(&["hub"], &env);
        process.ready(&url).await;
        Self { process, url, env }
    }

    /// Starts it again, after it was killed or stopped, on the same port; it is ready a little later.
    pub fn revive(&mut self) {
        self.process.kill();
        self.process = Process::start(&["hub"], &self.env);
    }

    /// As [`Hub::revive`], and waits until it is ready.
    pub async fn restart(&mut self) {
        self.revive();
        self.process.ready(&self.url).await;
    }

    /// The API as somebody who has not signed in.
    pub fn anonymous(&self) -> Api {
        Api::anonymous(&self.url)
    }

    /// The API as the first user.
    pub async fn admin(&self) -> Api {
        self.anonymous().sign_in(ADMIN_EMAIL, ADMIN_PASSWORD).await
    }
}

impl Worker {
    /// Starts a worker on `database` with a worker's rights and waits until it is ready; `more`
    /// comes last and wins.
    pub async fn start(database: &Database, hub: &Hub, more: &[Variable]) -> Self {
        Self::start_on(None, database, hub, more).await
    }

    /// As [`Worker::start`], on another host if one is named.
    pub async fn start_on(host: Option<Arc<FarHost>>, database: &Database, hub: &Hub, more: &[Variable]) -> Self {
        let port = free_port();
        let address = host.as_ref().map_or("127.0.0.1", |host| &host.address).to_owned();
        let url = format!("http://{address}:{port}");
        let directories = WorkerDirectories { root: temp_dir("w") };
        let path = |path: PathBuf| path.display().to_string();
        let mut env = vec![
            ("XVAULT_DATABASE_URL", database.worker_url.expose_secret().to_owned()),
            ("XVAULT_HUB_URL", hub.url.clone()),
            ("XVAULT_WORKER_TOKEN", WORKER_TOKEN.to_owned()),
            ("XVAULT_WORKER_LISTEN", format!("{address}:{port}")),
            ("XVAULT_WORKER_URL", url.clone()),
            ("XVAULT_STORAGE_DIR", path(directories.storage())),
            ("XVAULT_TMP_DIR", path(directories.tmp())),
            ("XVAULT_DATA_DIR", path(directories.data())),
            ("XVAULT_EGRESS_ALLOW", "127.0.0.0/8,::1/128".to_owned()),
            ("XVAULT_MIN_FREE", "0".to_owned()),
        ];
        env.extend_from_slice(more);
        let mut process = Self::run(host.as_deref(), &env);
        process.ready(&url).await;
        Self {
            process,
            url,
            directories,
            env,
            host,
        }
    }

    fn run(host: Option<&FarHost>, env: &[Variable]) -> Process {
        let here = command(&["worker"], env);
        Process::run(match host {
            Some(host) => host.command(&here),
            None => here,
        })
    }

    /// As [`Worker::restart`], with these variables from now on.
    pub async fn restart_with(&mut self, more: &[Variable]) {
        self.env.extend_from_slice(more);
        self.restart().await;
    }

    /// Starts it again, after it was killed or stopped, with the same identity and directories.
    pub async fn restart(&mut self) {
        self.revive();
        self.process.ready(&self.url).await;
    }

    /// As [`Worker::restart`], without waiting until it is ready.
    pub fn revive(&mut self) {
        self.process.kill();
        self.process = Self::run(self.host.as_deref(), &self.env);
    }
}

/// A database, a hub and a worker.
pub struct Stack {
    pub worker: Worker,
    pub hub: Hub,
    pub database: Database,
}

impl Stack {
    /// Starts all three.
    pub async fn start() -> Self {
        let database = Database::new().await;
        let hub = Hub::start(&database, &[]).await;
        let worker = Worker::start(&database, &hub, &[]).await;
        Self { worker, hub, database }
    }
}
