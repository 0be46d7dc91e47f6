//! Everything is restarted one after the other while backups are ordered all the time: nothing that was accepted
//! is lost, and nothing counts as failed.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::support::{
    eventually::SOON,
    http::{Api, client},
    site::{Site, add_source},
    xvault::{Hub, Worker},
};

const SOURCES: usize = 4;

/// Between two orders: load, but not a test of the machine.
const PAUSE: Duration = Duration::from_millis(50);

/// Orders backups of `source` through whichever hub is up until `done`; returns the accepted jobs.
async fn keep_ordering(hubs: [Api; 2], source: String, done: Arc<AtomicBool>) -> Vec<String> {
    let (mut accepted, mut turn) = (Vec::new(), 0);
    while !done.load(Ordering::Relaxed) {
        turn += 1;
        let path = format!("/api/v1/sources/{source}/backups");
        // The same key until there is an answer: one whose answer was lost is not ordered twice.
        let key = uuid::Uuid::new_v4().to_string();
        let end = Instant::now() + SOON;
        let answer = loop {
            assert!(Instant::now() < end, "none of the hubs answers");
            turn += 1;
            let request = hubs[turn % 2]
                .request(Method::POST, &path)
                .header("idempotency-key", &key);
            match request.json(&json!({})).send().await {
                // One that stops answers 503, one that is down nothing.
                Ok(answer) if answer.status() != 503 => break answer,
                _ => tokio::time::sleep(PAUSE).await,
            }
        };
        let status = answer.status().as_u16();
        assert!([202, 409].contains(&status), "{status}");
        if answer.status() == 202 {
            let body: Value = answer.json().await.expect("a job");
            accepted.push(body["job"]["id"].as_str().expect("an id").to_owned());
        }
        // Otherwise its last backup still runs.
        tokio::time::sleep(PAUSE).await;
    }
    accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_under_load_loses_nothing() {
    let mut site = Site::with(Default::default(), &[("XVAULT_LEASE", "30s".to_owned())]).await;
    std::fs::write(site.sshd.home().join("file"), "content").unwrap();
    let mut second_hub = Hub::start(&site.stack.database, &[]).await;
    // Away from the hub that the other worker asks.
    let mut second_worker = Worker::start(&site.stack.database, &second_hub, &[]).await;
    // Both hubs know the same sessions.
    let login = site.api.clone();
    let other = Api::anonymous(&second_hub.url).with_token(&access_token(&site.stack.hub.url).await);
    let mut sources = vec![site.source.clone()];
    for n in 1..SOURCES {
        sources.push(add_source(&site.api, &format!("source {n}"), &site.sshd).await);
    }
    let done = Arc::new(AtomicBool::new(false));
    let ordering: Vec<_> = sources
        .into_iter()
        .map(|source| tokio::spawn(keep_ordering([login.clone(), other.clone()], source, done.clone())))
        .collect();

    for hub in [&mut site.stack.hub, &mut second_hub] {
        assert!(hub.process.stop().await.success(), "{}", hub.process.output());
        hub.restart().await;
    }
    for worker in [&mut site.stack.worker, &mut second_worker] {
        assert!(worker.process.stop().await.success(), "{}", worker.process.output());
        worker.restart().await;
    }
    done.store(true, Ordering::Relaxed);
    let mut jobs = BTreeSet::new();
    for task in ordering {
        jobs.extend(task.await.expect("its orders were answered"));
    }
    assert!(jobs.len() >= 2 * SOURCES, "{} is no load", jobs.len());

    let mut made = BTreeSet::new();
    for id in &jobs {
        let job = site.over(id).await;
        assert_eq!(
            (&job["state"], &job["attempt"]),
            (&json!("succeeded"), &json!(1)),
            "{job}"
        );
        assert!(
            made.insert(job["snapshot_id"].as_str().expect("a snapshot").to_owned()),
            "{job}"
        );
        let events = site.api.get(&format!("/api/v1/jobs/{id}/events")).await.expect(200);
        let failed = |event: &Value| ["retry", "lease_lost", "failed"].contains(&event["kind"].as_str().unwrap());
        assert!(!events.as_array().unwrap().iter().any(failed), "{events}");
    }
    let count: i64 = sqlx::query_scalar("select count(*) from snapshots")
        .fetch_one(&site.stack.database.pool().await)
        .await
        .unwrap();
    assert_eq!(
        usize::try_from(count).unwrap(),
        jobs.len(),
        "one snapshot for each accepted order"
    );
}

async fn access_token(hub: &str) -> String {
    use super::support::xvault::{ADMIN_EMAIL, ADMIN_PASSWORD};
    let body = json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD});
    let answer = client()
        .post(format!("{hub}/api/v1/auth/login"))
        .json(&body)
        .send()
        .await
        .expect("an answer");
    let answer: Value = answer.json().await.expect("tokens");
    answer["access_token"].as_str().expect("a token").to_owned()
}
