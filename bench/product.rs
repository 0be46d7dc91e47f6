//! The product under measurement: hub and worker processes, driven through the API.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    ftpd::Ftpd,
    http::Api,
    postgres::Database,
    ssh_keys,
    sshd::Sshd,
    xvault::{Hub, Worker},
};

/// Longest a measurement may take.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A stack and its administrator.
pub struct Product {
    pub worker: Worker,
    pub api: Api,
    _hub: Hub,
    _database: Database,
}

impl Product {
    pub async fn start() -> Self {
        let database = Database::new().await;
        let quiet = [("XVAULT_LOG", "warn".to_owned())];
        let hub = Hub::start(&database, &quiet).await;
        let worker = Worker::start(&database, &hub, &quiet).await;
        let api = hub.admin().await;
        Self {
            worker,
            api,
            _hub: hub,
            _database: database,
        }
    }

    /// A source of `kind` at `server`, approved; its id.
    pub async fn source(&self, kind: &str, server: &Sshd, path: &str) -> String {
        let body = json!({
            "name": format!("{kind} {path}"),
            "kind": kind,
            "config": {"host": "127.0.0.1", "port": server.port, "user": server.user, "paths": [path]},
            "credentials": {"private_key": ssh_keys::accepted().private},
        });
        self.approved(body, &server.fingerprint()).await
    }

    /// A source of kind `ftp` at `server`, approved; its id.
    pub async fn ftp_source(&self, server: &Ftpd) -> String {
        let account = &server.account;
        let body = json!({
            "name": "ftp",
            "kind": "ftp",
            "config": {"host": "127.0.0.1", "port": server.port, "user": account.name, "paths": ["."]},
            "credentials": {"password": account.password},
        });
        self.approved(body, &server.fingerprint()).await
    }

    /// A source of a database kind with the login `dump`, without TLS; its id.
    pub async fn database_source(&self, kind: &str, port: u16, password: &str, database: &str) -> String {
        let body = json!({
            "name": format!("{kind} {database}"),
            "kind": kind,
            "config": {"host": "127.0.0.1", "port": port, "user": "dump", "databases": [database], "tls": "none"},
            "credentials": {"password": password},
        });
        let source = self.api.post("/api/v1/sources", body).await.expect(201);
        source["id"].as_str().expect("an id").to_owned()
    }

    async fn approved(&self, source: Value, fingerprint: &str) -> String {
        let source = self.api.post("/api/v1/sources", source).await.expect(201);
        let id = source["id"].as_str().expect("an id").to_owned();
        let pin = json!({"fingerprint": fingerprint});
        let path = format!("/api/v1/sources/{id}/identity");
        self.api.put(&path, pin).await.expect(200);
        id
    }

    /// Backs the source up; the finished job, and how long it took from the request on.
    pub async fn backup(&self, source: &str) -> (Value, Duration) {
        let begin = Instant::now();
        let path = format!("/api/v1/sources/{source}/backups");
        let accepted = self.api.post(&path, json!({})).await.expect(202);
        let id = accepted["job"]["id"].as_str().expect("an id").to_owned();
        loop {
            let job = self.api.get(&format!("/api/v1/jobs/{id}")).await.expect(200);
            let state = job["state"].as_str().expect("a state");
            if !matches!(state, "queued" | "running") {
                assert_eq!(state, "succeeded", "{job}");
                return (job, begin.elapsed());
            }
            assert!(begin.elapsed() < PATIENCE, "{job}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Directory of the snapshot that a backup job stored.
    pub async fn artifact(&self, job: &Value) -> PathBuf {
        let id = job["snapshot_id"].as_str().expect("a snapshot");
        let snapshot = self.api.get(&format!("/api/v1/snapshots/{id}")).await.expect(200);
        let place = PathBuf::from(snapshot["locator"]["local_path"].as_str().expect("a path"));
        self.worker.directories.storage().join(place)
    }

    /// The tenant's age identity, out of the recovery sheet.
    pub async fn identity(&self) -> String {
        let sheet = self.api.post("/api/v1/tenant/recovery-sheet", json!({})).await;
        let text = sheet.text();
        let line = text.split_whitespace().find(|word| word.starts_with("AGE-SECRET-KEY-"));
        line.unwrap_or_else(|| panic!("no identity in {text}")).to_owned()
    }

    /// Peak resident memory of the worker process so far, in MiB.
    pub fn worker_peak_mib(&self) -> f64 {
        let pid = self.worker.process.pid().as_raw_nonzero();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a living worker");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kilobytes.expect("VmHWM") / 1024.0
    }
}
