//! The whole product with a server to back up: database, hub, worker, sshd, and an approved source.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use xvault::domain::source::SshConfig;

use super::{
    eventually::{SOON, eventually_some},
    http::Api,
    postgres::Database,
    ssh_keys,
    sshd::{Setup, Sshd},
    xvault::{Hub, Stack, Variable, Worker},
};

/// Everything a backup needs.
pub struct Site {
    pub api: Api,
    pub source: String,
    pub sshd: Sshd,
    pub stack: Stack,
}

impl Site {
    /// Starts everything; the worker with short leases and retries.
    pub async fn start() -> Self {
        Self::with(Setup::default(), &[]).await
    }

    /// As [`Site::start`], with this sshd and these variables of the worker.
    pub async fn with(setup: Setup, worker: &[Variable]) -> Self {
        Self::on(Database::new().await, setup, worker).await
    }

    /// As [`Site::with`], on this database.
    pub async fn on(database: Database, setup: Setup, worker: &[Variable]) -> Self {
        let hub = Hub::start(&database, &[]).await;
        let mut variables = vec![
            ("XVAULT_LEASE", "3s".to_owned()),
            ("XVAULT_RETRY_BASE", "0s".to_owned()),
        ];
        variables.extend_from_slice(worker);
        let worker = Worker::start(&database, &hub, &variables).await;
        let sshd = tokio::task::spawn_blocking(move || Sshd::with(setup))
            .await
            .expect("sshd");
        let api = hub.admin().await;
        let source = add_source(&api, "site", &sshd).await;
        Self {
            api,
            source,
            sshd,
            stack: Stack { worker, hub, database },
        }
    }

    /// Orders a backup of the source; returns the job's id.
    pub async fn back_up(&self) -> String {
        let path = format!("/api/v1/sources/{}/backups", self.source);
        let answer = self.api.post(&path, json!({})).await.expect(202);
        id(&answer["job"])
    }

    /// Backs the source up, successfully; returns the snapshot's id.
    pub async fn snapshot(&self) -> String {
        let job = self.over(&self.back_up().await).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        job["snapshot_id"].as_str().expect("a snapshot").to_owned()
    }

    /// Restores (parts of) a snapshot; returns the finished job.
    pub async fn restore(&self, snapshot: &str, order: Value) -> Value {
        let path = format!("/api/v1/snapshots/{snapshot}/restores");
        let answer = self.api.post(&path, order).await.expect(202);
        self.over(&id(&answer["job"])).await
    }

    pub async fn job(&self, id: &str) -> Value {
        self.api.get(&format!("/api/v1/jobs/{id}")).await.expect(200)
    }

    /// Waits until the job is over.
    pub async fn over(&self, id: &str) -> Value {
        let last = |job: &Value| !matches!(job["state"].as_str(), Some("queued" | "running"));
        self.until(id, "the job is over", last).await
    }

    /// Waits until the job is as wanted.
    pub async fn until(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually_some(what, SOON, async || {
            let job = self.job(id).await;
            wanted(&job).then_some(job)
        })
        .await
    }

    /// Ids of all snapshots.
    pub async fn snapshots(&self) -> Vec<String> {
        let list = self.api.get("/api/v1/snapshots").await.expect(200);
        list["items"].as_array().expect("a list").iter().map(id).collect()
    }

    /// The directory of a snapshot.
    pub async fn place(&self, snapshot: &str) -> PathBuf {
        let snapshot = self.api.get(&format!("/api/v1/snapshots/{snapshot}")).await.expect(200);
        snapshot["locator"]["local_path"].as_str().expect("a path").into()
    }

    /// Directories of snapshots on the worker's disk, and whatever is being staged there.
    pub fn stored(&self) -> (Vec<String>, Vec<String>) {
        let storage = self.stack.worker.directories.storage();
        (
            names_at_depth(&storage.join("tenants"), 5),
            names_at_depth(&storage.join(".staging"), 1),
        )
    }
}

/// Adds a source with the accepted key, probes it and approves what it presents.
pub async fn add_source(api: &Api, name: &str, sshd: &Sshd) -> String {
    add_source_at(api, name, &sshd.config(&[&sshd.home_seen()])).await
}

/// As [`add_source`], with this `config`.
pub async fn add_source_at(api: &Api, name: &str, config: &SshConfig) -> String {
    let body = json!({
        "name": name,
        "kind": "ssh",
        "config": config,
        "credentials": {"private_key": ssh_keys::accepted().private},
    });
    let source = id(&api.post("/api/v1/sources", body).await.expect(201));
    let answer = api
        .post(&format!("/api/v1/sources/{source}/probe"), json!({}))
        .await
        .expect(202);
    let probe = id(&answer["job"]);
    let fingerprint = eventually_some("the probe is over", SOON, async || {
        let job = api.get(&format!("/api/v1/jobs/{probe}")).await.expect(200);
        assert_ne!(job["state"], "failed", "{job}");
        (job["state"] == "succeeded").then(|| job["result"]["fingerprint"].clone())
    })
    .await;
    api.put(
        &format!("/api/v1/sources/{source}/identity"),
        json!({"fingerprint": fingerprint}),
    )
    .await
    .expect(200);
    source
}

pub fn id(value: &Value) -> String {
    value["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no id: {value}"))
        .to_owned()
}

/// Names of what lies `depth` levels below `directory`, sorted.
pub fn names_at_depth(directory: &Path, depth: usize) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let entries = entries.map(|entry| entry.expect("a readable directory"));
    let mut names: Vec<String> = match depth {
        1 => entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect(),
        _ => entries
            .flat_map(|entry| names_at_depth(&entry.path(), depth - 1))
            .collect(),
    };
    names.sort();
    names
}
