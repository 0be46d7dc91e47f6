//! Cancelling ends a job within seconds, whatever it is doing or waiting for, and leaves nothing.

use std::time::{Duration, Instant};

use serde_json::json;

use super::support::wired::Wired;

/// From the request to the end: within seconds, on a machine that does much else.
const SECONDS: Duration = Duration::from_secs(10);

async fn cancelled(wired: &Wired, job: &str) {
    let asked = Instant::now();
    let path = format!("/api/v1/jobs/{job}/cancel");
    wired.site.api.post(&path, json!({})).await.expect(202);
    let job = wired.site.over(job).await;
    assert_eq!(job["state"], "cancelled", "{job}");
    assert!(asked.elapsed() < SECONDS, "it took {:?}", asked.elapsed());
    assert_eq!(wired.site.snapshots().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_waits_for_the_hub() {
    let (wired, job) = Wired::without_brief(&[]).await;
    cancelled(&wired, &job).await;
    wired.leaves(&wired.site.stack.worker, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_connects() {
    let (wired, job) = Wired::connecting(&[]).await;
    cancelled(&wired, &job).await;
    wired.source.mend();
    wired.leaves(&wired.site.stack.worker, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_transfers_the_remote_tar_ends() {
    let (wired, _gate, job) = Wired::in_the_middle(&[]).await;
    assert!(!wired.site.sshd.processes().is_empty());
    cancelled(&wired, &job).await;
    wired.leaves(&wired.site.stack.worker, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_source_is_silent() {
    let (wired, _gate, job) = Wired::in_the_middle(&[]).await;
    wired.source.silence();
    cancelled(&wired, &job).await;
    wired.source.cut();
    wired.leaves(&wired.site.stack.worker, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_its_worker_is_gone() {
    let (mut wired, _gate, job) = Wired::in_the_middle(&[]).await;
    wired.site.stack.worker.process.kill();
    cancelled(&wired, &job).await;
    wired.site.stack.worker.restart().await;
    wired.leaves(&wired.site.stack.worker, &[]).await;
}
