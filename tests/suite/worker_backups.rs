//! Hub and worker as separate processes, backing a real sshd up: to the end, and through everything
//! that may happen in the middle.

use std::{fs, path::Path};

use rustix::process::Signal;
use serde_json::json;

use super::support::{
    eventually::{SOON, eventually},
    gate::Gate,
    site::{Site, names_at_depth},
    sshd::Setup,
    xvault::Worker,
};

/// Enough that a transfer does not fit through a closed gate.
fn fill(directory: &Path) {
    let noise: Vec<u8> = (0..4_000_000u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    fs::write(directory.join("noise"), noise).unwrap();
    fs::write(directory.join("small"), "small").unwrap();
}

/// A site whose next backup stops in the middle, and that backup.
async fn in_the_middle(worker: &[super::support::xvault::Variable]) -> (Site, Gate, String) {
    let gate = Gate::closed();
    let site = Site::with(gate.setup(), worker).await;
    fill(&site.sshd.home());
    let job = site.back_up().await;
    site.until(&job, "data flows", |job| {
        job["phase"] == "transferring" && job["progress"]["bytes"].as_u64() > Some(0)
    })
    .await;
    (site, gate, job)
}

fn nothing_temporary(site: &Site) {
    let directories = &site.stack.worker.directories;
    assert_eq!(site.stored().1, [""; 0], "staging");
    assert_eq!(names_at_depth(&directories.tmp(), 1), [""; 0], "tmp");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_becomes_a_snapshot_with_its_facts() {
    let site = Site::start().await;
    fill(&site.sshd.home());
    let job = site.over(&site.back_up().await).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(job["attempt"], 1);
    assert_eq!(job["progress"]["bytes"], 4_000_005);
    let snapshot = job["snapshot_id"].as_str().unwrap();
    let found = site.api.get(&format!("/api/v1/snapshots/{snapshot}")).await.expect(200);
    assert_eq!(found["state"], "complete");
    assert_eq!(found["bytes_source"], 4_000_005);
    assert_eq!(found["job_id"], job["id"]);
    assert_eq!(site.stored().0, [snapshot]);
    nothing_temporary(&site);
    let events = site
        .api
        .get(&format!("/api/v1/jobs/{}/events", job["id"].as_str().unwrap()))
        .await
        .expect(200);
    let kinds: Vec<&str> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.first(), Some(&"queued"));
    assert_eq!(kinds.last(), Some(&"succeeded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_and_delete_do_what_they_say() {
    let site = Site::start().await;
    fill(&site.sshd.home());
    let snapshot = site.snapshot().await;
    let path = format!("/api/v1/snapshots/{snapshot}");
    let answer = site.api.post(&format!("{path}/verify"), json!({})).await.expect(202);
    let job = site.over(answer["job"]["id"].as_str().unwrap()).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert!(site.api.get(&path).await.expect(200)["verified_at"].is_string());

    let damaged = site.snapshot().await;
    let storage = site.stack.worker.directories.storage();
    let file = find(&storage, &damaged).join("backup.tar.zst.enc");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let answer = site
        .api
        .post(&format!("/api/v1/snapshots/{damaged}/verify"), json!({}))
        .await
        .expect(202);
    let job = site.over(answer["job"]["id"].as_str().unwrap()).await;
    assert_eq!(job["error"]["code"], "snapshot_damaged", "{job}");
    let found = site.api.get(&format!("/api/v1/snapshots/{damaged}")).await.expect(200);
    assert_eq!(found["state"], "damaged");

    let answer = site.api.delete(&path).await.expect(202);
    let job = site.over(answer["job"]["id"].as_str().unwrap()).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    site.api.get(&path).await.expect(404);
    assert_eq!(site.stored().0, [damaged]);
}

/// The directory named `name` somewhere below `directory`.
fn find(directory: &Path, name: &str) -> std::path::PathBuf {
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        if next.file_name().is_some_and(|last| last == name) {
            return next;
        }
        let entries = fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path());
        open.extend(entries.filter(|path| path.is_dir()));
    }
    panic!("no {name} below {}", directory.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_leaves_one_snapshot_after_all() {
    let (mut site, gate, job) = in_the_middle(&[]).await;
    site.stack.worker.process.kill();
    gate.open();
    site.stack.worker.restart().await;
    let job = site.over(&job).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(job["attempt"], 2);
    let snapshots = site.snapshots().await;
    assert_eq!(snapshots.len(), 1);
    assert_eq!(site.stored().0, snapshots);
    nothing_temporary(&site);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_the_remote_process_and_leaves_nothing() {
    let (site, _gate, job) = in_the_middle(&[]).await;
    assert!(!site.sshd.processes().is_empty());
    site.api
        .post(&format!("/api/v1/jobs/{job}/cancel"), json!({}))
        .await
        .expect(202);
    let job = site.over(&job).await;
    assert_eq!(job["state"], "cancelled", "{job}");
    eventually("the remote side has ended", SOON, async || {
        site.sshd.processes().is_empty()
    })
    .await;
    assert_eq!(site.stored(), (vec![], vec![]));
    nothing_temporary(&site);
    assert_eq!(site.snapshots().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_worker_hands_its_job_to_another_one() {
    let grace = [("XVAULT_SHUTDOWN_GRACE", "0s".to_owned())];
    let (mut site, gate, job) = in_the_middle(&grace).await;
    site.stack.worker.process.signal(Signal::TERM);
    let waiting = site
        .until(&job, "it is back in the queue", |job| job["state"] == "queued")
        .await;
    assert_eq!(waiting["attempt"], 0, "handing back does not count");
    assert!(site.stack.worker.process.ended().await.success());
    assert_eq!(site.stored(), (vec![], vec![]));
    nothing_temporary(&site);
    gate.open();
    let second = Worker::start(&site.stack.database, &site.stack.hub, &[]).await;
    let job = site.over(&job).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fits_into_the_grace_period_is_finished() {
    let (mut site, gate, job) = in_the_middle(&[]).await;
    site.stack.worker.process.signal(Signal::TERM);
    gate.open();
    assert!(site.stack.worker.process.ended().await.success());
    let job = site.job(&job).await;
    assert_eq!(
        (&job["state"], &job["attempt"]),
        (&json!("succeeded"), &json!(1)),
        "{job}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_in_the_middle_is_tried_again() {
    let (site, gate, job) = in_the_middle(&[]).await;
    site.sshd.kill_connections();
    gate.open();
    let job = site.over(&job).await;
    assert_eq!(
        (&job["state"], &job["attempt"]),
        (&json!("succeeded"), &json!(2)),
        "{job}"
    );
    assert_eq!(site.stored().0, site.snapshots().await);
    nothing_temporary(&site);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_takes_no_backups_while_its_disk_is_short() {
    let huge = [("XVAULT_MIN_FREE", "1000000TiB".to_owned())];
    let site = Site::with(Setup::default(), &huge).await;
    fill(&site.sshd.home());
    let job = site.back_up().await;
    let workers = site.api.get("/api/v1/workers").await.expect(200);
    assert_eq!(workers["items"][0]["state"], "paused", "{workers}");
    let second = Worker::start(&site.stack.database, &site.stack.hub, &[]).await;
    let job = site.over(&job).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(site.stored().0, [""; 0], "the one with space took it");
    drop(second);
}
