//! Snapshots whose files are gone or not what was stored: marked with the reason, and taken back when the files
//! return.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{
    pages::browser::Browser,
    support::{
        bad_disk::BadDisk,
        eventually::{SOON, eventually, eventually_some},
        site::Site,
        sshd::Setup,
        xvault::{ADMIN_EMAIL, ADMIN_PASSWORD},
    },
};

/// A site with so many snapshots.
async fn site(count: usize) -> (Site, Vec<String>) {
    let looks = [("XVAULT_RECONCILE_EVERY", "1s".to_owned())];
    let site = Site::with(Setup::default(), &looks).await;
    let noise: Vec<u8> = (0..400_000u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    fs::write(site.sshd.home().join("noise"), noise).unwrap();
    let mut snapshots = Vec::new();
    for _ in 0..count {
        snapshots.push(site.snapshot().await);
    }
    (site, snapshots)
}

async fn seen(site: &Site, snapshot: &str) -> Value {
    site.api.get(&format!("/api/v1/snapshots/{snapshot}")).await.expect(200)
}

/// The snapshot, once it is in this state.
async fn becomes(site: &Site, snapshot: &str, state: &str) -> Value {
    eventually_some(&format!("the snapshot is {state}"), SOON, async || {
        let found = seen(site, snapshot).await;
        (found["state"] == state).then_some(found)
    })
    .await
}

async fn verify(site: &Site, snapshot: &str) -> Value {
    let path = format!("/api/v1/snapshots/{snapshot}/verify");
    let answer = site.api.post(&path, json!({})).await.expect(202);
    site.over(answer["job"]["id"].as_str().unwrap()).await
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    let at = at.min(bytes.len() - 1);
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_without_all_its_files_is_missing_until_they_return() {
    // Nothing stands for the whole directory.
    let names = ["backup.tar.zst.enc", "index.enc", "manifest.json", "meta.json", ""];
    let (site, snapshots) = site(names.len()).await;
    let mut places = Vec::new();
    for (snapshot, name) in snapshots.iter().zip(names) {
        let place = site.place(snapshot).await;
        let (from, to) = match name {
            "" => (place.clone(), place.with_extension("aside")),
            name => (place.join(name), place.join("aside")),
        };
        fs::rename(&from, &to).unwrap();
        places.push((from, to));
    }
    for (snapshot, name) in snapshots.iter().zip(names) {
        let found = becomes(&site, snapshot, "missing").await;
        let fault = found["fault"].as_str().unwrap();
        assert!(fault.contains(name) && fault.contains("does not exist"), "{fault}");
    }
    let fault = seen(&site, &snapshots[0]).await["fault"].clone();
    let mut browser = Browser::signed_in(&site.stack.hub.url, ADMIN_EMAIL, ADMIN_PASSWORD).await;
    let page = browser.get(&format!("/snapshots/{}", snapshots[0])).await.text();
    assert!(page.contains(fault.as_str().unwrap()), "{page}");
    assert!(page.contains("Delete this snapshot"), "{page}");

    for (from, to) in places {
        fs::rename(to, from).unwrap();
    }
    for snapshot in &snapshots {
        assert_eq!(becomes(&site, snapshot, "complete").await["fault"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_shows_at_a_glance_is_marked_damaged_and_taken_back() {
    let cut = |file: &Path| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, &bytes[..bytes.len() - 1]).unwrap();
    };
    type Harm<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Harm<'_>, &str); 5] = [
        ("backup.tar.zst.enc", &cut, "were stored"),
        ("index.enc", &cut, "were stored"),
        ("manifest.json", &|file| flip(file, 30), "manifest.json is damaged"),
        ("meta.json", &|file| flip(file, 30), "meta.json is damaged"),
        ("meta.json", &cut, "meta.json is damaged"),
    ];
    let (site, snapshots) = site(cases.len()).await;
    let mut wholes = Vec::new();
    for (snapshot, (name, harm, _)) in snapshots.iter().zip(cases) {
        let file = site.place(snapshot).await.join(name);
        let whole = fs::read(&file).unwrap();
        harm(&file);
        wholes.push((file, whole));
    }
    for (snapshot, (name, _, word)) in snapshots.iter().zip(cases) {
        let found = becomes(&site, snapshot, "damaged").await;
        assert!(found["fault"].as_str().unwrap().contains(word), "{name}: {found}");
    }
    for (file, whole) in wholes {
        fs::write(file, whole).unwrap();
    }
    for snapshot in &snapshots {
        becomes(&site, snapshot, "complete").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_found_by_verification_stays_until_a_verification_acquits() {
    let (site, snapshots) = site(2).await;
    for (snapshot, name) in snapshots.into_iter().zip(["backup.tar.zst.enc", "index.enc"]) {
        let place = site.place(&snapshot).await;
        let file = place.join(name);
        flip(&file, 500);
        let job = verify(&site, &snapshot).await;
        assert_eq!(job["error"]["code"], "snapshot_damaged", "{job}");
        let found = seen(&site, &snapshot).await;
        assert_eq!(
            (&found["state"], &found["fault"]),
            (&json!("damaged"), &job["error"]["message"])
        );
        flip(&file, 500);

        // Away and back: a look at the lengths must not take it for whole.
        let aside = place.join("aside");
        fs::rename(&file, &aside).unwrap();
        becomes(&site, &snapshot, "missing").await;
        fs::rename(&aside, &file).unwrap();
        let found = becomes(&site, &snapshot, "damaged").await;
        assert!(found["fault"].as_str().unwrap().contains("verify it"), "{found}");

        assert_eq!(verify(&site, &snapshot).await["state"], "succeeded");
        let found = seen(&site, &snapshot).await;
        assert_eq!((&found["state"], &found["fault"]), (&json!("complete"), &Value::Null));
        assert_eq!(found["verified_depth"], "content");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_the_disk_fails_to_give_is_marked_until_all_of_it_can_be_read_again() {
    let disk = BadDisk::new();
    let mut worker = vec![("XVAULT_RECONCILE_EVERY", "1s".to_owned())];
    worker.extend(disk.variables());
    let site = Site::with(Setup::default(), &worker).await;
    fs::write(site.sshd.home().join("file"), "content").unwrap();
    let snapshot = site.snapshot().await;

    disk.fail();
    let job = verify(&site, &snapshot).await;
    assert_eq!((&job["state"], &job["attempt"]), (&json!("failed"), &json!(3)), "{job}");
    assert_eq!(job["error"]["code"], "snapshot_unreadable", "{job}");
    let marked = seen(&site, &snapshot).await;
    assert_eq!(marked["state"], "damaged", "{marked}");
    assert!(
        marked["fault"].as_str().unwrap().contains("Input/output error"),
        "{marked}"
    );
    // That the files have their lengths acquits nobody.
    let looked =
        async || site.api.get("/api/v1/workers").await.expect(200)["items"][0]["disk"]["reconciled_at"].clone();
    for _ in 0..2 {
        let before = looked().await;
        eventually("the disk is looked at", SOON, async || looked().await != before).await;
    }
    assert_eq!(seen(&site, &snapshot).await, marked);

    disk.recover();
    let healed = becomes(&site, &snapshot, "complete").await;
    assert_eq!(healed["fault"], Value::Null);
    assert_eq!(verify(&site, &snapshot).await["state"], "succeeded");
}
