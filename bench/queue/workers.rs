//! Worker processes whose handler does nothing: this program again, told by a variable.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Stdio},
    time::{Duration, SystemTime},
};

use clap::Parser;
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use xvault::{
    cli::dev::leash::leashed,
    clock::Clock,
    config::{Environment, WorkerArgs, WorkerConfig},
    domain::ids::JobId,
    shutdown::Shutdown,
};

use super::AT_ONCE;
use crate::support::{
    catalogue, http,
    ports::free_port,
    postgres::Database,
    scratch::temp_dir,
    spawner,
    xvault::{Hub, WORKER_TOKEN},
};

const ROLE: &str = "BENCH_QUEUE_WORKER";

/// True in a process that shall be a worker.
pub fn is_wanted() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// Runs the product's worker with a handler that says when it began, and does nothing.
pub async fn be_a_worker() {
    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        worker: WorkerArgs,
    }
    // As the binary does before anything else.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse_from(["worker"]);
    let config = WorkerConfig::load(arguments.worker, &Environment::process()).expect("settings");
    let shutdown = Shutdown::on_signals().expect("signals");
    let handler = |job: xvault::domain::job::Job| async move {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970");
        writeln!(std::io::stdout(), "{} {}", job.id, now.as_nanos()).expect("the parent listens");
        catalogue::done()
    };
    let ended = xvault::worker::run_handler(handler, config, Clock::default(), shutdown).await;
    ended.expect("a worker that ends well");
}

/// Running worker processes; killed with the value.
pub struct Workers {
    children: Vec<Child>,
    began: mpsc::UnboundedReceiver<(JobId, SystemTime)>,
    _directories: Vec<tempfile::TempDir>,
}

impl Workers {
    /// Starts them and waits until they are ready, and a moment longer, so that they sleep.
    pub async fn start(database: &Database, hub: &Hub, count: usize) -> Self {
        let (tell, began) = mpsc::unbounded_channel();
        let (mut children, mut directories, mut urls) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let (directory, port) = (temp_dir("w"), free_port());
            let program = std::env::current_exe().expect("this program");
            let mut command = leashed(&program, "KILL", None, None).expect("setpriv (package util-linux)");
            command.stdin(Stdio::null()).stdout(Stdio::piped()).env(ROLE, "1");
            let place = |name: &str| directory.path().join(name).display().to_string();
            command.envs([
                ("XVAULT_DATABASE_URL", database.worker_url.expose_secret().to_owned()),
                ("XVAULT_HUB_URL", hub.url.clone()),
                ("XVAULT_WORKER_TOKEN", WORKER_TOKEN.to_owned()),
                ("XVAULT_WORKER_LISTEN", format!("127.0.0.1:{port}")),
                ("XVAULT_WORKER_CONCURRENCY", AT_ONCE.to_string()),
                ("XVAULT_STORAGE_DIR", place("backups")),
                ("XVAULT_DATA_DIR", place("data")),
                ("XVAULT_TMP_DIR", place("tmp")),
                ("XVAULT_MIN_FREE", "0".to_owned()),
                ("XVAULT_LOG", "warn".to_owned()),
            ]);
            let mut child = spawner::spawn(command).expect("a worker");
            let (output, tell) = (BufReader::new(child.stdout.take().expect("piped")), tell.clone());
            std::thread::spawn(move || {
                for line in output.lines().map_while(Result::ok) {
                    // Nobody listens any more once the measurement is over.
                    let _ = tell.send(parsed(&line));
                }
            });
            children.push(child);
            directories.push(directory);
            urls.push(format!("http://127.0.0.1:{port}/readyz"));
        }
        for url in urls {
            while !http::client()
                .get(&url)
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        Self {
            children,
            began,
            _directories: directories,
        }
    }

    /// When the handler of `job` began; waits for that.
    pub async fn began(&mut self, job: &JobId) -> SystemTime {
        loop {
            let (id, at) = self.began.recv().await.expect("a living worker");
            if id == *job {
                return at;
            }
        }
    }
}

fn parsed(line: &str) -> (JobId, SystemTime) {
    let (id, nanos) = line.split_once(' ').expect("a job and a time");
    let since = Duration::from_nanos(nanos.parse().expect("nanoseconds"));
    (id.parse().expect("an id"), SystemTime::UNIX_EPOCH + since)
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.children {
            // One that ended by itself is noticed by what it did not do.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
