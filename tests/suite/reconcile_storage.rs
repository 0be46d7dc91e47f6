//! A storage directory that is not the one a worker's snapshots lie in: a disk that is not mounted, or another
//! worker's.

use std::fs;

use serde_json::{Value, json};

use super::support::{
    eventually::{SOON, eventually, eventually_some},
    site::Site,
    sshd::Setup,
    xvault::Worker,
};

const LOOKS: [(&str, &str); 1] = [("XVAULT_RECONCILE_EVERY", "1s")];

async fn site() -> (Site, String) {
    let looks = LOOKS.map(|(name, value)| (name, value.to_owned()));
    let site = Site::with(Setup::default(), &looks).await;
    fs::write(site.sshd.home().join("file"), "content").unwrap();
    let snapshot = site.snapshot().await;
    (site, snapshot)
}

/// The worker that was first heard of last, once it is in this state.
async fn newest_worker(site: &Site, state: &str) -> Value {
    eventually_some(&format!("the worker is {state}"), SOON, async || {
        let workers = site.api.get("/api/v1/workers").await.expect(200);
        let worker = workers["items"][0].clone();
        (worker["state"] == state).then_some(worker)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_not_mounted_loses_nothing_and_work_goes_on_when_it_is() {
    let (mut site, snapshot) = site().await;
    let storage = site.stack.worker.directories.storage();
    let away = storage.with_extension("unmounted");
    site.stack.worker.process.kill();
    fs::rename(&storage, &away).unwrap();
    site.stack.worker.restart().await;
    let worker = newest_worker(&site, "paused").await;
    let reason = worker["paused_reason"].as_str().unwrap();
    assert!(
        reason.contains("looks like another storage") && reason.contains("mounted"),
        "{reason}"
    );

    let path = format!("/api/v1/snapshots/{snapshot}");
    let answer = site.api.post(&format!("{path}/verify"), json!({})).await.expect(202);
    let job = answer["job"]["id"].as_str().unwrap().to_owned();
    let deletion = site.api.get(&path).await.expect(200);
    assert_eq!(deletion["state"], "complete", "nothing is called missing");

    fs::remove_dir_all(&storage).unwrap();
    fs::rename(&away, &storage).unwrap();
    let job = site.over(&job).await;
    assert_eq!(
        (&job["state"], &job["attempt"]),
        (&json!("succeeded"), &json!(1)),
        "{job}"
    );
    newest_worker(&site, "active").await;
    assert_eq!(site.snapshot().await.len(), snapshot.len(), "it takes backups again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_goes_away_under_a_running_worker_is_noticed() {
    let (site, snapshot) = site().await;
    let storage = site.stack.worker.directories.storage();
    let away = storage.with_extension("unmounted");
    fs::rename(&storage, &away).unwrap();
    fs::create_dir(&storage).unwrap();
    newest_worker(&site, "paused").await;
    // Deleting finds no files; that must not pass for having removed them.
    let path = format!("/api/v1/snapshots/{snapshot}");
    let answer = site.api.delete(&path).await.expect(202);
    // Nor does that leave the worker with nothing to miss, and free to take the directory for a new storage.
    let refusals = || {
        site.stack
            .worker
            .process
            .output()
            .matches("takes no jobs that need")
            .count()
    };
    let before = refusals();
    eventually("the worker looks twice more", SOON, async || refusals() >= before + 2).await;
    fs::remove_dir(&storage).expect("nothing was written where the disk should be");
    fs::rename(&away, &storage).unwrap();
    let job = site.over(answer["job"]["id"].as_str().unwrap()).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(site.stored().0, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_of_another_worker_is_left_alone() {
    let (mut site, snapshot) = site().await;
    site.stack.worker.process.stop().await;
    let storage = site.stack.worker.directories.storage();
    let place = [("XVAULT_STORAGE_DIR", storage.display().to_string())];
    let first = site.api.get("/api/v1/workers").await.expect(200)["items"][0]["id"].clone();
    let second = Worker::start(&site.stack.database, &site.stack.hub, &place).await;
    let worker = newest_worker(&site, "paused").await;
    assert_ne!(worker["id"], first);
    let reason = worker["paused_reason"].as_str().unwrap();
    assert!(
        reason.contains(first.as_str().unwrap()) && reason.contains("--adopt"),
        "{reason}"
    );
    drop(second);
    assert_eq!(site.stored().0, [snapshot]);
}
