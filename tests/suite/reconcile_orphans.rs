//! What lies on a worker's disk and nobody expects there.

use std::{fs, time::Duration};

use sqlx::Connection;

use super::support::{
    eventually::{SOON, eventually, eventually_some},
    site::Site,
    sshd::Setup,
    xvault::Variable,
};

/// A worker that looks often.
fn looking(grace: &str) -> [Variable; 2] {
    [
        ("XVAULT_RECONCILE_EVERY", "1s".to_owned()),
        ("XVAULT_ORPHAN_GRACE", grace.to_owned()),
    ]
}

/// What the only worker says about its disk, once `wanted` holds of it.
async fn disk(site: &Site, what: &str, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    eventually_some(what, SOON, async || {
        let workers = site.api.get("/api/v1/workers").await.expect(200);
        let disk = workers["items"][0]["disk"].clone();
        wanted(&disk).then_some(disk)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_between_rename_and_report_leaves_one_snapshot_and_an_orphan_that_goes() {
    let mut site = Site::with(Setup::default(), &looking("1h")).await;
    fs::write(site.sshd.home().join("file"), "content").unwrap();
    // The report cannot be written while somebody else holds the table.
    let mut holder = site.stack.database.pool().await.acquire().await.unwrap().detach();
    let mut held = holder.begin().await.unwrap();
    sqlx::query("lock table snapshots in share mode")
        .execute(&mut *held)
        .await
        .unwrap();
    let job = site.back_up().await;
    let orphan = eventually_some("the snapshot is on the disk", SOON, async || site.stored().0.pop()).await;
    site.stack.worker.process.kill();
    held.rollback().await.unwrap();

    site.stack.worker.restart().await;
    let job = site.over(&job).await;
    assert_eq!(
        (&job["state"], &job["attempt"]),
        (&"succeeded".into(), &2.into()),
        "{job}"
    );
    let snapshots = site.snapshots().await;
    assert_eq!(snapshots.len(), 1);
    assert_ne!(snapshots[0], orphan);
    let seen = disk(&site, "the orphan is told", |disk| disk["orphans"] == 1).await;
    assert_eq!((&seen["orphans_removed"], &seen["unclaimed"]), (&0.into(), &0.into()));
    assert!(site.stored().0.contains(&orphan), "it has its grace");

    site.stack.worker.restart_with(&looking("0s")).await;
    let seen = disk(&site, "the orphan went", |disk| disk["orphans_removed"] == 1).await;
    assert_eq!(seen["orphans"], 0);
    assert_eq!(site.stored(), (snapshots, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_catalogue_has_lost_is_kept_and_told() {
    let site = Site::with(Setup::default(), &looking("0s")).await;
    fs::write(site.sshd.home().join("file"), "content").unwrap();
    let (row_lost, job_lost) = (site.snapshot().await, site.snapshot().await);
    let pool = site.stack.database.pool().await;
    sqlx::query("delete from snapshots").execute(&pool).await.unwrap();
    let lose = sqlx::query("delete from jobs where snapshot_id = $1");
    lose.bind(&job_lost).execute(&pool).await.unwrap();
    disk(&site, "both are told", |disk| disk["unclaimed"] == 2).await;
    let (mut kept, _) = site.stored();
    kept.sort();
    assert_eq!(kept, [row_lost, job_lost]);

    let metrics = site.api.get("/metrics").await.text();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("xvault_worker_unclaimed_snapshots{"));
    assert!(line.is_some_and(|line| line.ends_with(" 2")), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_snapshot_that_comes_back_is_an_orphan() {
    let site = Site::with(Setup::default(), &looking("0s")).await;
    fs::write(site.sshd.home().join("file"), "content").unwrap();
    let snapshot = site.snapshot().await;
    let place = site.place(&snapshot).await;
    let copy = place.with_extension("copy");
    fs::create_dir(&copy).unwrap();
    for file in fs::read_dir(&place).unwrap().flatten() {
        fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    let answer = site
        .api
        .delete(&format!("/api/v1/snapshots/{snapshot}"))
        .await
        .expect(202);
    site.over(answer["job"]["id"].as_str().unwrap()).await;
    fs::rename(&copy, &place).unwrap();
    eventually("it is gone again", SOON, async || !place.exists()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_go_while_the_worker_lives_on() {
    let site = Site::with(Setup::default(), &looking("1h")).await;
    let directories = &site.stack.worker.directories;
    let session = directories.tmp().join("conn-crashed");
    fs::create_dir(&session).unwrap();
    fs::write(session.join("lock"), "").unwrap();
    let staged = directories.storage().join(".staging").join("0123");
    fs::create_dir(&staged).unwrap();
    fs::write(staged.join("backup.tar.zst.enc"), "half").unwrap();
    let export = directories.data().join("exports/.exp_0.1234");
    fs::write(&export, "half").unwrap();
    let kept = directories.data().join("exports/notes.txt");
    fs::write(&kept, "of the operator").unwrap();
    for gone in [session, staged, export] {
        let what = format!("{} is removed", gone.display());
        eventually(&what, Duration::from_secs(20), async || !gone.exists()).await;
    }
    assert!(kept.exists(), "what we did not put there is not ours to remove");
}
