//! Killed workers, full disks, missing rights.

use std::{fs, path::Path};

use serde_json::json;

use super::stage::{Stage, succeeded, unfinished};
use crate::support::{
    eventually::{SOON, eventually},
    scratch::temp_dir,
    small_disk::SmallDisk,
    sshd::{Login, Setup},
    tree::{Carried, assert_same_tree, noise},
};

/// So much that nobody writes it between two looks.
fn much(home: &Path) {
    for i in 0..40 {
        fs::create_dir(home.join(format!("d{i}"))).unwrap();
        for j in 0..20 {
            fs::write(home.join(format!("d{i}/{j}")), noise(10_000 + i * 100 + j)).unwrap();
        }
        fs::write(home.join(format!("d{i}/large")), noise(3_000_000 + i)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_restore_goes_on_and_leaves_nothing_half_written() {
    let mut stage = Stage::new(Setup::default(), much).await;
    let into = temp_dir("into");
    let job = stage.order(json!({"into": into.path()})).await;
    let below = stage.below(into.path());
    eventually("some of it is there", SOON, async || {
        below.join("d1").exists() || below.join("d3").exists()
    })
    .await;
    stage.site.stack.worker.process.kill();
    assert_eq!(stage.site.job(&job).await["state"], "running");
    let written = fs::read_dir(&below).unwrap().count();
    assert!(written < 40, "it was over already");
    stage.site.stack.worker.restart().await;
    let job = stage.site.over(&job).await;
    let report = succeeded(&job);
    assert_eq!(job["attempt"], 2, "{job}");
    assert!(
        report["counts"]["unchanged"]["entries"].as_u64().unwrap() > 0,
        "{report}"
    );
    assert_eq!(unfinished(into.path()), Vec::<std::path::PathBuf>::new());
    assert_same_tree(&stage.site.sshd.home(), &below, Carried::Seconds);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_restore_ends_and_leaves_nothing_half_written() {
    let stage = Stage::new(Setup::default(), much).await;
    let into = temp_dir("into");
    let job = stage.order(json!({"into": into.path()})).await;
    let below = stage.below(into.path());
    eventually("some of it is there", SOON, async || below.exists()).await;
    stage
        .site
        .api
        .post(&format!("/api/v1/jobs/{job}/cancel"), json!({}))
        .await
        .expect(202);
    let job = stage.site.over(&job).await;
    assert_eq!(job["state"], "cancelled", "{job}");
    assert_eq!(unfinished(into.path()), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_restore_with_its_name_and_what_was_finished_stays() {
    let stage = Stage::new(Setup::default(), |home| {
        fs::write(home.join("a small"), "fits").unwrap();
        fs::write(home.join("b large"), noise(6 << 20)).unwrap();
    })
    .await;
    let disk = SmallDisk::new(3);
    let plan = stage.plan(json!({"into": disk.path()})).await;
    assert!(plan["free_bytes"].as_u64().unwrap() < 4 << 20, "{plan}");
    let job = stage.restore(json!({"into": disk.path()})).await;
    assert_eq!(job["state"], "failed", "{job}");
    assert_eq!(job["error"]["code"], "target_full", "{job}");
    assert_eq!(job["attempt"], 1, "{job}");
    assert_eq!(unfinished(disk.path()), Vec::<std::path::PathBuf>::new());
    let below = stage.below(disk.path());
    assert!(!below.join("b large").exists());
    if below.join("a small").exists() {
        assert!(job["error"]["hint"].as_str().unwrap().contains("stay"), "{job}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_rights_are_seen_in_the_dry_run_and_told_by_the_restore() {
    let setup = Setup {
        login: Login::Fresh,
        ..Setup::default()
    };
    let stage = Stage::new(setup, |home| fs::write(home.join("file"), "x").unwrap()).await;
    let into = temp_dir("closed");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(into.path(), open).unwrap();
    let plan = stage.plan(json!({"into": into.path()})).await;
    let obstacle = plan["obstacles"][0].as_str().unwrap_or_default();
    assert!(obstacle.contains(into.path().to_str().unwrap()), "{plan}");
    let job = stage.restore(json!({"into": into.path()})).await;
    assert_eq!(job["state"], "failed", "{job}");
    assert_eq!(job["error"]["code"], "target_denied", "{job}");
    // Where it may write, there is nothing to say.
    let plan = stage.plan(json!({"into": stage.other.home()})).await;
    assert_eq!(plan["obstacles"], json!(null), "{plan}");
}
