//! Backups whose disk fills up in the middle.

use std::fs;

use serde_json::{Value, json};

use super::support::{site::Site, small_disk::SmallDisk, sshd::Setup, xvault::Worker};

/// A site whose worker stores on a disk with 8 MiB left, and a backup of much more than that, which ran out of space.
async fn out_of_space() -> (Site, SmallDisk, String) {
    let disk = SmallDisk::new(64);
    disk.fill(8 << 20);
    let storage = disk.path().join("backups").display().to_string();
    let site = Site::with(Setup::default(), &[("XVAULT_STORAGE_DIR", storage)]).await;
    let noise: Vec<u8> = (0..3_000_000)
        .flat_map(|_| rand::random::<u64>().to_be_bytes())
        .collect();
    fs::write(site.sshd.home().join("noise"), noise).unwrap();
    let job = site.back_up().await;
    let waiting = site
        .until(&job, "it waits for space and says so", |job| {
            job["held_back"]["reason"] == "storage_full"
        })
        .await;
    assert_eq!(waiting["error"]["code"], "storage_full", "{waiting}");
    assert_eq!(
        waiting["attempt"], 1,
        "no attempt is wasted on the full disk: {waiting}"
    );
    (site, disk, job)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_in_the_middle_moves_the_backup_to_another_worker() {
    let (site, disk, job) = out_of_space().await;
    let second = Worker::start(&site.stack.database, &site.stack.hub, &[]).await;
    let job = site.over(&job).await;
    assert_eq!(
        (&job["state"], &job["attempt"]),
        (&json!("succeeded"), &json!(2)),
        "{job}"
    );
    let events = site
        .api
        .get(&format!("/api/v1/jobs/{}/events", job["id"].as_str().unwrap()))
        .await;
    let events = events.expect(200);
    let codes: Vec<&Value> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["error_code"])
        .collect();
    assert!(codes.contains(&&json!("storage_full")), "{events}");
    drop(second);
    drop(site);
    drop(disk);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_another_worker_it_goes_on_when_there_is_space_again() {
    let (site, disk, job) = out_of_space().await;
    disk.empty();
    let job = site.over(&job).await;
    assert_eq!(
        (&job["state"], &job["attempt"]),
        (&json!("succeeded"), &json!(2)),
        "{job}"
    );
    drop(site);
    drop(disk);
}
