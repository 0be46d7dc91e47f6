//! Workers that are drained, that are away while somebody waits for them, and that never come back.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::support::{
    eventually::{SOON, eventually},
    site::Site,
    xvault::{Worker, command},
};

/// A site with something to back up.
async fn filled() -> Site {
    let site = Site::start().await;
    std::fs::write(site.sshd.home().join("file"), "content").expect("the account's home");
    site
}

async fn only_worker(site: &Site) -> String {
    let list = site.api.get("/api/v1/workers").await.expect(200);
    list["items"][0]["id"].as_str().expect("a worker").to_owned()
}

async fn says(worker: &Worker, line: &str) {
    eventually(line, SOON, async || worker.process.output().contains(line)).await;
}

/// As if the worker had been silent for an hour.
async fn silence(site: &Site, worker: &str) {
    let silent = "update workers set last_seen_at = now() - interval '1 hour' where id = $1";
    let pool = site.stack.database.pool().await;
    sqlx::query(silent).bind(worker).execute(&pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_worker_takes_no_backups_and_serves_what_it_has() {
    let site = filled().await;
    let snapshot = site.snapshot().await;
    let first = only_worker(&site).await;
    let path = format!("/api/v1/workers/{first}");
    let drained = site.api.post(&format!("{path}/drain"), Value::Null).await.expect(200);
    assert_eq!(drained["state"], "draining", "{drained}");
    assert!(drained["drain_requested_at"].is_string());
    says(&site.stack.worker, "drained: taking no new backups").await;

    let waiting = site.back_up().await;
    let restored = site.restore(&snapshot, json!({"format": "tar"})).await;
    assert_eq!(restored["state"], "succeeded", "{restored}");
    assert_eq!(restored["worker_id"], first.as_str());
    assert_eq!(site.job(&waiting).await["state"], "queued", "nobody else is there");
    let alerts = site.api.get("/api/v1/alerts").await.expect(200);
    assert_eq!(alerts["items"][0]["kind"], "nobody_takes_backups", "{alerts}");

    let second = Worker::start(&site.stack.database, &site.stack.hub, &[]).await;
    let job = site.over(&waiting).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_ne!(job["worker_id"], first.as_str());
    drop(second);
    let again = site.back_up().await;
    let undrained = site.api.post(&format!("{path}/undrain"), Value::Null).await.expect(200);
    assert_eq!(undrained["state"], "active", "{undrained}");
    let job = site.over(&again).await;
    assert_eq!(job["worker_id"], first.as_str(), "{job}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_says_for_whom_it_waits_and_goes_on_when_the_worker_returns() {
    let mut site = filled().await;
    let snapshot = site.snapshot().await;
    let worker = only_worker(&site).await;
    assert!(site.stack.worker.process.stop().await.success());
    let path = format!("/api/v1/snapshots/{snapshot}/restores");
    let answer = site.api.post(&path, json!({"format": "zip"})).await.expect(202);
    let job = answer["job"]["id"].as_str().unwrap().to_owned();
    let waiting = site.job(&job).await;
    let whom = &waiting["waiting_for"];
    assert_eq!(
        (&whom["worker_id"], &whom["state"]),
        (&json!(worker), &json!("stopped")),
        "{waiting}"
    );
    assert!(whom["since"].is_string() && whom["hostname"].is_string(), "{waiting}");

    site.stack.worker.restart().await;
    let over = site.over(&job).await;
    assert_eq!(
        (&over["state"], &over["attempt"]),
        (&json!("succeeded"), &json!(1)),
        "{over}"
    );
    assert!(over.get("waiting_for").is_none(), "{over}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_worker_that_comes_back_is_refused() {
    let mut site = filled().await;
    let snapshot = site.snapshot().await;
    let worker = only_worker(&site).await;
    let retire = format!("/api/v1/workers/{worker}/retire");
    let confirm = json!({"confirm": worker});
    let refused = site.api.post(&retire, confirm.clone()).await.expect(409);
    assert!(
        refused["detail"].as_str().unwrap().contains("stop it first"),
        "{refused}"
    );

    // Silent, but not gone: as behind a cut network. It hears of it with its next heartbeat.
    site.stack.worker.process.signal(Signal::STOP);
    silence(&site, &worker).await;
    let done = site.api.post(&retire, confirm).await.expect(200);
    assert_eq!(
        (&done["snapshots_missing"], &done["worker"]["state"]),
        (&json!(1), &json!("retired"))
    );
    site.stack.worker.process.signal(Signal::CONT);
    assert!(!site.stack.worker.process.ended().await.success());
    says(&site.stack.worker, "was retired and cannot come back").await;
    let found = site.api.get(&format!("/api/v1/snapshots/{snapshot}")).await.expect(200);
    assert_eq!(found["state"], "missing");
    assert_eq!(site.stored().0, [snapshot], "its disk is left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_before_it_retires() {
    let mut site = filled().await;
    site.snapshot().await;
    let worker = only_worker(&site).await;
    let admin = async |args: &[&str]| {
        use secrecy::ExposeSecret;
        let url = site.stack.database.url.expose_secret().to_owned();
        let mut command = command(&[&["admin", "worker"], args].concat(), &[("XVAULT_DATABASE_URL", url)]);
        let output = tokio::task::spawn_blocking(move || command.output().expect("the binary runs")).await;
        let output = output.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    };
    assert!(admin(&["list"]).await.1.contains(&worker));
    assert!(admin(&["drain", &worker]).await.0);
    assert!(admin(&["list"]).await.1.contains("draining"));
    assert!(admin(&["undrain", &worker]).await.0);
    let (done, text) = admin(&["retire", &worker, "--confirm", &worker]).await;
    assert!(!done && text.contains("stop it first"), "{text}");
    site.stack.worker.process.kill();
    silence(&site, &worker).await;
    let (done, text) = admin(&["retire", &worker]).await;
    assert!(done && text.contains("only it has 1 snapshots"), "{text}");
    assert!(
        admin(&["list"]).await.1.contains(&worker),
        "not without the confirmation"
    );
    let (done, text) = admin(&["retire", &worker, "--confirm", "wrk_other"]).await;
    assert!(!done && text.contains("was not retired"), "{text}");
    let (done, text) = admin(&["retire", &worker, "--confirm", &worker]).await;
    assert!(done && text.contains("1 snapshots are missing now"), "{text}");
    assert!(!admin(&["list"]).await.1.contains(&worker));
}
