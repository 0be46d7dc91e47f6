//! A site with a snapshot, and another server to restore it to.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{
    http::Reply,
    site::{Site, add_source},
    ssh_keys,
    sshd::{Login, Setup, Sshd},
};

/// A site whose source was backed up, and a server that knows nothing of it.
pub struct Stage {
    pub site: Site,
    pub snapshot: String,
    pub other: Sshd,
    /// The other server as a source, called `other`.
    pub target: String,
}

impl Stage {
    /// With a source that `fill` filled, and a server of this kind.
    pub async fn new(setup: Setup, fill: impl FnOnce(&Path)) -> Self {
        let site = Site::start().await;
        fill(&site.sshd.home());
        let snapshot = site.snapshot().await;
        let other = tokio::task::spawn_blocking(move || Sshd::with(setup))
            .await
            .expect("sshd");
        let target = match setup.login {
            Login::SftpOnly => add_sftp_source(&site, &other).await,
            _ => add_source(&site.api, "other", &other).await,
        };
        Self {
            site,
            snapshot,
            other,
            target,
        }
    }

    /// Asks for a restore to the other server.
    pub async fn ask(&self, order: Value) -> Reply {
        let mut body = json!({"target_source_id": self.target, "dry_run": false, "confirm": "other"});
        for (field, value) in order.as_object().expect("an object") {
            body[field] = value.clone();
        }
        let path = format!("/api/v1/snapshots/{}/restores-to-source", self.snapshot);
        self.site.api.post(&path, body).await
    }

    /// Orders a restore; returns the job's id.
    pub async fn order(&self, order: Value) -> String {
        let answer = self.ask(order).await.expect(202);
        answer["job"]["id"].as_str().expect("an id").to_owned()
    }

    /// Restores to the other server; returns the finished job.
    pub async fn restore(&self, order: Value) -> Value {
        let job = self.order(order).await;
        self.site.over(&job).await
    }

    /// What a dry run finds.
    pub async fn plan(&self, mut order: Value) -> Value {
        order["dry_run"] = true.into();
        order["confirm"] = Value::Null;
        let job = self.restore(order).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        assert_eq!(job["result"]["dry_run"], true, "{job}");
        job["result"].clone()
    }

    /// The source's tree, as it lies below a directory it was restored into.
    pub fn below(&self, into: &Path) -> PathBuf {
        let home = self.site.sshd.home();
        into.join(home.strip_prefix("/").expect("an absolute path"))
    }
}

/// A restore that ended well; returns its report.
pub fn succeeded(job: &Value) -> Value {
    assert_eq!(job["state"], "succeeded", "{job}");
    job["result"].clone()
}

/// How many entries a report has of an action.
pub fn count(report: &Value, action: &str) -> u64 {
    report["counts"][action]["entries"].as_u64().unwrap_or(0)
}

/// Everything below a directory that looks like a file we had not finished.
pub fn unfinished(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with(".xvault-") {
                found.push(path.clone());
            }
            if path.is_dir() && !path.is_symlink() {
                waiting.push(path);
            }
        }
    }
    found
}

async fn add_sftp_source(site: &Site, server: &Sshd) -> String {
    let body = json!({
        "name": "other",
        "kind": "sftp",
        "config": server.config(&[&server.home_seen()]),
        "credentials": {"private_key": ssh_keys::accepted().private},
    });
    let source = site.api.post("/api/v1/sources", body).await.expect(201);
    let id = source["id"].as_str().expect("an id").to_owned();
    approve(site, &id, server).await;
    id
}

/// Approves a server's identity without asking it.
pub async fn approve(site: &Site, source: &str, server: &Sshd) {
    let path = format!("/api/v1/sources/{source}/identity");
    let print = json!({"fingerprint": server.fingerprint()});
    site.api.put(&path, print).await.expect(200);
}

/// Another source at the other server, with these credentials.
pub async fn add_other(stage: &Stage, name: &str, credentials: Value) -> String {
    let id = add_source_at_with(stage, name, credentials).await;
    approve(&stage.site, &id, &stage.other).await;
    id
}

async fn add_source_at_with(stage: &Stage, name: &str, credentials: Value) -> String {
    let body = json!({
        "name": name,
        "kind": "ssh",
        "config": stage.other.config(&["/srv"]),
        "credentials": credentials,
    });
    let source = stage.site.api.post("/api/v1/sources", body).await.expect(201);
    source["id"].as_str().expect("an id").to_owned()
}
