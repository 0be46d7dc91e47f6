//! Two hubs, three workers, a PostgreSQL and an sshd, every connection between them on a cable.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::json;
use sqlx::PgPool;

use crate::support::{
    cable::{Cable, Far},
    postgres::{Database, Server},
    site::add_source_at,
    small_disk::SmallDisk,
    sshd::{Setup, Sshd},
    tree::noise,
    xvault::{Hub, Process, Variable, Worker},
};

use super::findings::Findings;

pub const WORKERS: usize = 3;
pub const HUBS: usize = 2;
pub const SOURCES: usize = 6;

/// Bytes per second that a source's connection carries back, so that transfers take long enough to be hit.
const PACE: u64 = 1_000_000;

/// Room on each worker's disk.
const DISK_MIB: u32 = 48;

/// How long a process may take to get ready once nothing harms it.
const READY: Duration = Duration::from_secs(40);

/// One worker and what it hangs on.
pub struct Machine {
    pub worker: Worker,
    pub database: Cable,
    pub hub: Cable,
    pub disk: SmallDisk,
    /// It was told to stop then; ended, it is started again.
    pub leaving: Option<Instant>,
}

/// One hub and what it hangs on.
pub struct HubMachine {
    pub hub: Hub,
    pub database: Cable,
    pub leaving: Option<Instant>,
}

/// A server to back up, seen through a cable.
pub struct Source {
    pub id: String,
    pub cable: Cable,
}

/// Everything. Drops from first to last.
pub struct Fleet {
    pub machines: Vec<Machine>,
    pub hubs: Vec<HubMachine>,
    pub sources: Vec<Source>,
    pub sshd: Sshd,
    pub key: String,
    pub database: Database,
    pub server: Server,
    /// What ended processes had said.
    said: Vec<(String, String)>,
}

fn short_times() -> Vec<Variable> {
    [
        ("XVAULT_LEASE", "2s"),
        ("XVAULT_RETRY_BASE", "1s"),
        ("XVAULT_SHUTDOWN_GRACE", "2s"),
        ("XVAULT_WORKER_CONCURRENCY", "3"),
        ("XVAULT_MIN_FREE", "1MiB"),
        ("XVAULT_ORPHAN_GRACE", "1s"),
        ("XVAULT_RECONCILE_EVERY", "3s"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

impl Fleet {
    /// Starts everything and adds the sources.
    pub async fn start() -> Self {
        let server = blocking(Server::start).await;
        let database = server.database().await;
        let mut hubs = Vec::new();
        for _ in 0..HUBS {
            let cable = Cable::to(Far::Socket(database.socket()), None).await;
            let url = Database::through(&database.url, "127.0.0.1", cable.port);
            let variables = [("XVAULT_DATABASE_URL", url), ("XVAULT_SETTLING", "1s".to_owned())];
            hubs.push(HubMachine {
                hub: Hub::start(&database, &variables).await,
                database: cable,
                leaving: None,
            });
        }
        let mut machines = Vec::new();
        for i in 0..WORKERS {
            machines.push(Machine::start(i, &database, &hubs[i % HUBS].hub).await);
        }
        // Notices when its client is gone without a word, before and after the login; by itself, sshd would keep such
        // sessions for minutes and hours.
        let attentive = Setup {
            extra: "ClientAliveInterval 2\nClientAliveCountMax 2\nLoginGraceTime 10\n",
            ..Setup::default()
        };
        let sshd = blocking(move || Sshd::with(attentive)).await;
        let api = hubs[0].hub.admin().await;
        let mut sources = Vec::new();
        for i in 0..SOURCES {
            let cable = Cable::to(Far::Port(sshd.port), Some(PACE)).await;
            let mut config = sshd.config(&[fill(&sshd, i).to_str().expect("plain")]);
            config.port = cable.port;
            let id = add_source_at(&api, &format!("source {i}"), &config).await;
            sources.push(Source { id, cable });
        }
        let key = api
            .post("/api/v1/api-keys", json!({"name": "chaos", "role": "owner"}))
            .await
            .expect(201);
        Self {
            machines,
            hubs,
            sources,
            sshd,
            key: key["key"].as_str().expect("a key").to_owned(),
            database,
            server,
            said: Vec::new(),
        }
    }

    /// The database, past all cables.
    pub async fn pool(&self) -> PgPool {
        self.database.pool().await
    }

    /// Starts what has ended: told to, or by itself, which is a finding.
    pub fn tend(&mut self, findings: &mut Findings) {
        for i in 0..WORKERS {
            let machine = &mut self.machines[i];
            let Some(status) = machine.worker.process.try_ended() else {
                continue;
            };
            let output = machine.worker.process.output();
            findings.expect(machine.leaving.take().is_some(), || {
                format!("worker {i} ended by itself ({status}): {}", last_line(&output))
            });
            self.said.push((format!("worker {i}, ended"), output));
            machine.worker.revive();
        }
        for i in 0..HUBS {
            let machine = &mut self.hubs[i];
            let Some(status) = machine.hub.process.try_ended() else {
                continue;
            };
            let output = machine.hub.process.output();
            findings.expect(machine.leaving.take().is_some(), || {
                format!("hub {i} ended by itself ({status}): {}", last_line(&output))
            });
            self.said.push((format!("hub {i}, ended"), output));
            machine.hub.revive();
        }
    }

    /// SIGKILLs a worker and starts it again.
    pub fn kill_worker(&mut self, i: usize) {
        let output = self.machines[i].worker.process.output();
        self.said.push((format!("worker {i}, killed"), output));
        self.machines[i].worker.revive();
        self.machines[i].leaving = None;
    }

    /// SIGKILLs a hub and starts it again.
    pub fn kill_hub(&mut self, i: usize) {
        let output = self.hubs[i].hub.process.output();
        self.said.push((format!("hub {i}, killed"), output));
        self.hubs[i].hub.revive();
        self.hubs[i].leaving = None;
    }

    /// Waits until everything is ready; says what is not.
    pub async fn ready(&mut self, findings: &mut Findings) {
        let end = Instant::now() + READY;
        loop {
            self.tend(findings);
            let late = Instant::now() > end;
            let mut all = true;
            for (name, url, leaving) in self.places() {
                let ready = is_ready(&url).await && leaving.is_none();
                all &= ready;
                findings.expect(ready || !late, || {
                    format!("{name} is not ready {READY:?} after the last harm")
                });
            }
            if all || late {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn places(&self) -> Vec<(String, String, Option<Instant>)> {
        let workers = self.machines.iter().enumerate();
        let hubs = self.hubs.iter().enumerate();
        workers
            .map(|(i, m)| (format!("worker {i}"), m.worker.url.clone(), m.leaving))
            .chain(hubs.map(|(i, m)| (format!("hub {i}"), m.hub.url.clone(), m.leaving)))
            .collect()
    }

    /// Every process of ours, with a name.
    pub fn processes(&self) -> impl Iterator<Item = (String, &Process)> {
        let workers = self.machines.iter().enumerate();
        let hubs = self.hubs.iter().enumerate();
        workers
            .map(|(i, m)| (format!("worker {i}"), &m.worker.process))
            .chain(hubs.map(|(i, m)| (format!("hub {i}"), &m.hub.process)))
    }

    /// What every process said, the ended ones first.
    pub fn outputs(&mut self) -> Vec<(String, String)> {
        let mut all = std::mem::take(&mut self.said);
        all.extend(self.processes().map(|(name, process)| (name, process.output())));
        all
    }
}

impl Machine {
    async fn start(i: usize, database: &Database, hub: &Hub) -> Self {
        let disk = SmallDisk::new(DISK_MIB);
        let port = hub.url.rsplit(':').next().and_then(|port| port.parse().ok());
        let to_hub = Cable::to(Far::Port(port.expect("a port")), None).await;
        let to_database = Cable::to(Far::Socket(database.socket()), None).await;
        let mut variables = short_times();
        variables.extend([
            ("XVAULT_WORKER_ID", format!("wrk_{i}")),
            ("XVAULT_STORAGE_DIR", disk.path().join("backups").display().to_string()),
            ("XVAULT_HUB_URL", format!("http://127.0.0.1:{}", to_hub.port)),
            (
                "XVAULT_DATABASE_URL",
                Database::through(&database.worker_url, "127.0.0.1", to_database.port),
            ),
        ]);
        Self {
            worker: Worker::start(database, hub, &variables).await,
            database: to_database,
            hub: to_hub,
            disk,
            leaving: None,
        }
    }

    /// Where its snapshots lie.
    pub fn storage(&self) -> PathBuf {
        self.disk.path().join("backups")
    }
}

/// Something to back up: between nothing much and a transfer of two seconds.
fn fill(sshd: &Sshd, i: usize) -> PathBuf {
    let directory = sshd.home().join(format!("site-{i}"));
    fs::create_dir_all(directory.join("small")).expect("a directory");
    for n in 0..20 * i {
        fs::write(directory.join(format!("small/{n}")), n.to_string()).expect("a file");
    }
    fs::write(directory.join("noise"), noise(400_000 * i + 1)).expect("a file");
    directory
}

async fn is_ready(url: &str) -> bool {
    let client = crate::support::http::client();
    let request = client.get(format!("{url}/readyz")).timeout(Duration::from_secs(5));
    request.send().await.is_ok_and(|answer| answer.status().is_success())
}

fn last_line(output: &str) -> &str {
    output.trim_end().lines().last().unwrap_or("(silent)")
}

/// Runs what blocks beside the async threads.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it does not panic")
}

/// Waits until `ask` is true; false, and a finding, if it does not come true in `time`.
pub async fn in_time(findings: &mut Findings, what: &str, time: Duration, mut ask: impl AsyncFnMut() -> bool) -> bool {
    let end = Instant::now() + time;
    while !ask().await {
        if Instant::now() > end {
            findings.add(format!("after {time:?}: {what}"));
            return false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    true
}
