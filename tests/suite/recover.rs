//! Losing parts of the catalogue and entering them again from a storage; storages that change their worker.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::support::{
    eventually::{SOON, eventually},
    http,
    scratch::temp_dir,
    site::{Site, add_source},
    sshd::Setup,
    xvault::{Hub, Variable, Worker, command},
};

/// Runs `xvault recover` with the directories of a worker and the hub's role; what it printed, and whether it
/// went well.
fn recover(site: &Site, worker: &Worker, flags: &[&str]) -> (bool, String) {
    use secrecy::ExposeSecret;
    let mut env: Vec<Variable> = worker
        .env
        .iter()
        .filter(|(name, _)| matches!(*name, "XVAULT_STORAGE_DIR" | "XVAULT_DATA_DIR"))
        .cloned()
        .collect();
    env.push((
        "XVAULT_DATABASE_URL",
        site.stack.database.url.expose_secret().to_owned(),
    ));
    let args = [&["recover"], flags].concat();
    let output = command(&args, &env).output().expect("the binary runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// The file's content out of a snapshot, restored by way of a download.
async fn content(site: &Site, snapshot: &str, file: &str) -> String {
    let job = site.restore(snapshot, json!({"format": "tar"})).await;
    let url = job["result"]["download_url"]
        .as_str()
        .unwrap_or_else(|| panic!("{job}"));
    let tar = http::client().get(url).send().await.unwrap().bytes().await.unwrap();
    let out = temp_dir("out");
    fs::write(out.path().join("tar"), &tar).unwrap();
    let unpacked = std::process::Command::new("tar")
        .args(["xf", "tar"])
        .current_dir(out.path())
        .status();
    assert!(unpacked.unwrap().success());
    let path = site.sshd.home().join(file);
    fs::read_to_string(out.path().join(path.strip_prefix("/").unwrap())).unwrap()
}

async fn verified(site: &Site, snapshot: &str) -> Value {
    let path = format!("/api/v1/snapshots/{snapshot}");
    let answer = site.api.post(&format!("{path}/verify"), json!({})).await.expect(202);
    let job = site.over(answer["job"]["id"].as_str().unwrap()).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    site.api.get(&path).await.expect(200)
}

/// A catalogue without its snapshots, as after the loss of rows.
async fn lose(pool: &PgPool, statements: &[&str]) {
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(*statement))
            .execute(pool)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_dump_and_the_storage_make_the_catalogue_whole() {
    let mut site = Site::start().await;
    let file = site.sshd.home().join("file");
    fs::write(&file, "before the dump").unwrap();
    let before = site.snapshot().await;
    let dumps = temp_dir("dump");
    let dump = dumps.path().join("catalogue");
    site.stack.database.dump(&dump);

    // What only the storage knows afterwards: a snapshot, and a source with one.
    fs::write(&file, "after the dump").unwrap();
    let after = site.snapshot().await;
    let known_source = std::mem::replace(&mut site.source, add_source(&site.api, "later", &site.sshd).await);
    let of_later = site.snapshot().await;
    let facts = site.api.get(&format!("/api/v1/snapshots/{after}")).await.expect(200);

    // The database is lost.
    assert!(site.stack.worker.process.stop().await.success());
    assert!(site.stack.hub.process.stop().await.success());
    site.stack.database.restore(&dump).await;

    let (fine, told) = recover(&site, &site.stack.worker, &[]);
    assert!(
        fine && told.contains("1 in the catalogue, 2 to enter") && told.contains("nothing was written"),
        "{told}"
    );
    let (fine, told) = recover(&site, &site.stack.worker, &["--apply"]);
    assert!(fine && told.contains("2 to enter"), "{told}");
    let (fine, told) = recover(&site, &site.stack.worker, &["--apply"]);
    assert!(fine && told.contains("3 in the catalogue, 0 to enter"), "{told}");

    site.stack.hub = Hub::start(&site.stack.database, &[]).await;
    site.stack
        .worker
        .restart_with(&[("XVAULT_HUB_URL", site.stack.hub.url.clone())])
        .await;
    site.api = site.stack.hub.admin().await;
    let mut listed = site.snapshots().await;
    listed.sort();
    assert_eq!(listed, [before.clone(), after.clone(), of_later.clone()]);
    let found = site.api.get(&format!("/api/v1/snapshots/{after}")).await.expect(200);
    for same in [
        "source_id",
        "job_id",
        "state",
        "bytes_source",
        "bytes_stored",
        "files",
        "sha256",
        "locator",
    ] {
        assert_eq!(found[same], facts[same], "{same}");
    }
    assert_eq!(found["source_id"], known_source.as_str());
    let job = found["job_id"].as_str().unwrap();
    assert_eq!(site.job(job).await["state"], "succeeded");
    let events = site.api.get(&format!("/api/v1/jobs/{job}/events")).await.expect(200);
    assert!(
        events[0]["message"].as_str().unwrap().starts_with("Recovered"),
        "{events}"
    );

    assert_eq!(content(&site, &after, "file").await, "after the dump");
    assert_eq!(content(&site, &before, "file").await, "before the dump");
    assert_eq!(verified(&site, &after).await["verified_depth"], "content");
    let later = verified(&site, &of_later).await;
    assert!(
        later["source_name"].as_str().unwrap().starts_with("Recovered"),
        "{later}"
    );
    let sources = site.api.get("/api/v1/sources").await.expect(200);
    assert_eq!(
        sources["items"].as_array().unwrap().len(),
        1,
        "the recovered source is a removed one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_or_must_not_be_entered_is_told() {
    let mut site = Site::start().await;
    fs::write(site.sshd.home().join("file"), "content").unwrap();
    let mut snapshots = Vec::new();
    for _ in 0..5 {
        snapshots.push(site.snapshot().await);
    }
    let [damaged, failed, deleted, foreign, waiting] = &snapshots[..] else {
        unreachable!()
    };
    assert!(site.stack.worker.process.stop().await.success());
    let manifest = site.place(damaged).await.join("manifest.json");
    fs::write(
        &manifest,
        fs::read_to_string(&manifest).unwrap().replace("complete", "partial"),
    )
    .unwrap();
    let pool = site.stack.database.pool().await;
    let job = |snapshot: &str| format!("(select job_id from snapshots where id = '{snapshot}')");
    lose(
        &pool,
        &[
            &format!(
                "update jobs set state = 'failed', error_code = 'internal', error_message = 'x', snapshot_id = null \
                 where id = {}",
                job(failed)
            ),
            &format!(
                "update jobs set state = 'queued', finished_at = null, snapshot_id = null, result = null where id = {}",
                job(waiting)
            ),
            &format!(
                "insert into jobs (id, tenant_id, kind, state, queue, source_id, snapshot_id, payload, finished_at) \
                 select 'job_gone', tenant_id, 'delete', 'succeeded', 'x', source_id, id, '{{\"type\":\"delete\",\"v\":1}}', \
                 now() from snapshots where id = '{deleted}'"
            ),
            "insert into tenants (id, name) values ('tnt_other', 'Other')",
            "insert into sources (id, tenant_id, name, kind, config) \
             select 'src_other', 'tnt_other', 'Other', kind, config from sources",
            &format!(
                "update jobs set tenant_id = 'tnt_other', source_id = 'src_other' where id = {}",
                job(foreign)
            ),
            "delete from snapshots",
        ],
    )
    .await;
    let (fine, told) = recover(&site, &site.stack.worker, &["--apply"]);
    assert!(!fine, "{told}");
    let line = |snapshot: &str| told.lines().find(|line| line.contains(snapshot)).unwrap().to_owned();
    for (snapshot, word, reason) in [
        (damaged, "refuse", "manifest.json is damaged"),
        (failed, "leave", "ended as failed"),
        (deleted, "leave", "deleted"),
        (foreign, "refuse", "another tenant"),
        (waiting, "enter", "complete"),
    ] {
        let line = line(snapshot);
        assert!(line.starts_with(word) && line.contains(reason), "{line}");
    }
    // The job that would have been tried again has its result now.
    assert_eq!(site.snapshots().await, std::slice::from_ref(waiting));
    let jobs = site
        .api
        .get(&format!("/api/v1/jobs?snapshot_id={waiting}"))
        .await
        .expect(200);
    assert_eq!(jobs["items"][0]["state"], "succeeded", "{jobs}");

    // A tenant that is unknown: its key is lost, and the line says how its backups open without it.
    lose(
        &pool,
        &[
            "delete from snapshots",
            "delete from audit_log",
            "delete from jobs",
            "delete from tenants",
        ],
    )
    .await;
    let (fine, told) = recover(&site, &site.stack.worker, &["--apply"]);
    assert!(
        !fine && told.contains("recovery sheet") && told.contains("5 refused"),
        "{told}"
    );
    assert_eq!(site.stored().0.len(), 5, "nothing is removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_goes_to_another_worker_with_what_waits_for_it() {
    let mut site = Site::with(Setup::default(), &[("XVAULT_RECONCILE_EVERY", "1s".to_owned())]).await;
    fs::write(site.sshd.home().join("file"), "content").unwrap();
    let snapshot = site.snapshot().await;
    let (fine, told) = recover(&site, &site.stack.worker, &[]);
    assert!(!fine && told.contains("stop"), "a running worker has it: {told}");

    // The old host dies, its disk is saved; a job waits for it.
    site.stack.worker.process.kill();
    let path = format!("/api/v1/snapshots/{snapshot}/verify");
    let answer = site.api.post(&path, json!({})).await.expect(202);
    let place = [
        (
            "XVAULT_STORAGE_DIR",
            site.stack.worker.directories.storage().display().to_string(),
        ),
        ("XVAULT_RECONCILE_EVERY", "1s".to_owned()),
    ];
    let mut second = Worker::start(&site.stack.database, &site.stack.hub, &place).await;
    second.process.signal(Signal::TERM);
    second.process.ended().await;

    let (fine, told) = recover(&site, &second, &["--apply"]);
    assert!(!fine && told.contains("--adopt"), "{told}");
    let (fine, told) = recover(&site, &second, &["--apply", "--adopt"]);
    assert!(!fine && told.contains("stop it"), "it was alive a moment ago: {told}");
    let pool = site.stack.database.pool().await;
    lose(&pool, &["update workers set last_seen_at = now() - interval '1 hour'"]).await;
    let (fine, told) = recover(&site, &second, &["--adopt"]);
    assert!(fine && told.contains("1 to move"), "{told}");
    let (fine, told) = recover(&site, &second, &["--apply", "--adopt"]);
    assert!(fine && told.contains("1 to move"), "{told}");

    second.restart().await;
    let job = site.over(answer["job"]["id"].as_str().unwrap()).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(content(&site, &snapshot, "file").await, "content");
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_disk_in_place_of_a_lost_one_is_taken_on_demand() {
    let mut site = Site::with(Setup::default(), &[("XVAULT_RECONCILE_EVERY", "1s".to_owned())]).await;
    fs::write(site.sshd.home().join("file"), "content").unwrap();
    let snapshot = site.snapshot().await;
    site.stack.worker.process.stop().await;
    let storage = site.stack.worker.directories.storage();
    fs::remove_dir_all(&storage).unwrap();
    let (fine, told) = recover(&site, &site.stack.worker, &["--adopt", "--apply"]);
    assert!(!fine && told.contains("mounted"), "{told}");
    fs::create_dir(&storage).unwrap();
    let (fine, told) = recover(&site, &site.stack.worker, &["--adopt", "--apply"]);
    assert!(
        fine && told.contains("1 snapshots that the catalogue has of this worker are not here"),
        "{told}"
    );
    site.stack.worker.restart().await;
    eventually("the lost snapshot is missing", SOON, async || {
        let found = site.api.get(&format!("/api/v1/snapshots/{snapshot}")).await.expect(200);
        found["state"] == "missing"
    })
    .await;
    let again = site.snapshot().await;
    assert_eq!(site.stored().0, [again]);
}
