//! pg-boss and graphile-worker, through the same measurements by `peers.mjs`.

use std::{fs, path::Path, process::Command, time::Duration};

use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{JOBS, SAMPLES};
use crate::{Scale, support::postgres::Server};

/// Where `scripts/packages bench` installs them.
const PLACE: &str = ".tools/queue-peers";

/// What `peers.mjs` prints.
#[derive(Deserialize)]
pub struct Measured {
    /// Jobs per second.
    pub pace: f64,
    latencies: Vec<f64>,
}

impl Measured {
    pub fn latencies(&self) -> Vec<Duration> {
        self.latencies
            .iter()
            .map(|ms| Duration::from_secs_f64(ms / 1000.0))
            .collect()
    }
}

/// Measures one of them with so many worker processes; the latency with one only.
pub async fn run(peer: &str, server: &Server, scale: &Scale, processes: usize, history: u64) -> Measured {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(PLACE);
    assert!(place.join("node_modules").exists(), "run scripts/packages bench first");
    // Beside its modules, where node looks for them.
    fs::write(place.join("peers.mjs"), include_str!("peers.mjs")).expect("a script");
    let database = server.empty_database().await;
    let samples = if processes == 1 { scale.of(SAMPLES).max(3) } else { 0 };
    let mut command = Command::new("node");
    command
        .arg("peers.mjs")
        .arg(peer)
        .arg(database.url.expose_secret())
        .current_dir(place);
    command.args([processes as u64, scale.of(JOBS), samples, history].map(|n| n.to_string()));
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("no panic");
    let output = output.expect("node (package nodejs)");
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rev().find(|line| line.starts_with('{'));
    let last = last.unwrap_or_else(|| panic!("{peer}: {}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(last).expect("figures")
}
