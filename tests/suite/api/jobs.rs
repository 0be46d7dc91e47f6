use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use xvault::{
    db::{exports, jobs},
    domain::{
        export::NewExport,
        job::{ExportFormat, JobPayload, Progress},
    },
    queue::route,
};

use super::world::{World, id_of};
use crate::support::{
    catalogue,
    eventually::{SOON, eventually},
    http::Reply,
};

#[tokio::test]
async fn a_live_stream_tells_what_was_and_what_comes_until_the_end() {
    let world = World::new().await;
    let source = world.source("web").await;
    let running = world.running_backup(&source).await;
    let path = format!("/api/v1/jobs/{}/events", running.job.id);
    let request = world
        .viewer
        .request(Method::GET, &path)
        .header("Accept", "text/event-stream");
    let mut stream = request.send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while !text.contains("event: job") {
        text.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(
        text.contains("\"kind\":\"queued\"") && text.contains("\"kind\":\"claimed\""),
        "{text}"
    );

    let mut conn = world.pool.acquire().await.unwrap();
    let progress = Progress {
        bytes: 4711,
        ..Progress::default()
    };
    jobs::renew(&mut conn, &running.lease, Duration::from_secs(60), &progress)
        .await
        .unwrap();
    // As a worker reports: the job and its event become visible together.
    let mut tx = world.pool.begin().await.unwrap();
    assert!(jobs::finish(&mut tx, &running.lease, &catalogue::done()).await.unwrap());
    tx.commit().await.unwrap();
    // Ends by itself.
    while let Some(chunk) = stream.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(
        text.contains("\"kind\":\"succeeded\"") && text.contains("\"state\":\"succeeded\""),
        "{text}"
    );
    assert!(text.trim_end().ends_with("event: end\ndata: {}"), "{text}");

    let list = world.viewer.get(&path).await.expect(200);
    let last = list.as_array().unwrap().last().unwrap()["seq"].as_i64().unwrap();
    let resumed = world
        .viewer
        .request(Method::GET, &path)
        .header("Accept", "text/event-stream");
    let resumed = Reply::of(resumed.header("Last-Event-ID", last.to_string()))
        .await
        .text();
    assert!(
        !resumed.contains("event: event") && resumed.contains("event: end"),
        "{resumed}"
    );
    let after = world.viewer.get(&format!("{path}?after={last}")).await.expect(200);
    assert_eq!(after, json!([]));
}

#[tokio::test]
async fn the_link_of_a_restore_is_for_operators_and_dies() {
    let world = World::new().await;
    let source = world.source("web").await;
    let stored = world.snapshot(&source).await;
    let order = json!({"format": "tar.zst", "paths": ["srv/www", "caf\\xe9"]});
    let path = format!("/api/v1/jobs/{}/restore", stored.job);
    let job = id_of(&world.operator.post(&path, order).await.expect(202)["job"]);
    let claimed = world.claim(&route::of_worker(&stored.worker), &stored.worker).await;
    let JobPayload::Restore { export_id, .. } = claimed.job.payload.clone() else {
        panic!("{:?}", claimed.job.payload)
    };
    let mut conn = world.pool.acquire().await.unwrap();
    let export = NewExport {
        id: export_id.clone(),
        tenant_id: world.tenant.clone(),
        job_id: claimed.job.id.clone(),
        snapshot_id: stored.id.parse().unwrap(),
        worker_id: stored.worker.clone(),
        format: ExportFormat::TarZst,
        file_name: "web.tar.zst".into(),
        token_hash: vec![0; 32],
        bytes: 5,
        sha256: "a".repeat(64),
    };
    exports::insert(&mut conn, &export, Duration::from_secs(60))
        .await
        .unwrap();
    assert!(
        jobs::finish(&mut conn, &claimed.lease, &catalogue::done())
            .await
            .unwrap()
    );

    let result = async |api: &crate::support::http::Api| {
        api.get(&format!("/api/v1/jobs/{job}")).await.expect(200)["result"].clone()
    };
    let ready = result(&world.operator).await;
    assert_eq!(
        (&ready["download_state"], &ready["bytes"]),
        (&json!("ready"), &json!(5))
    );
    assert_eq!(ready["export_id"], export_id.as_str());
    let url = ready["download_url"].as_str().unwrap();
    assert!(
        url.starts_with(&format!("http://127.0.0.1:1/downloads/{export_id}/")),
        "{url}"
    );
    assert_eq!(
        result(&world.operator).await["download_url"],
        url,
        "the same link every time"
    );
    let hidden = result(&world.viewer).await;
    assert_eq!(
        (&hidden["download_state"], &hidden["download_url"]),
        (&json!("hidden"), &Value::Null)
    );
    let listed = world.operator.get("/api/v1/jobs?kind=restore").await.expect(200);
    assert_eq!(listed["items"][0]["result"]["download_url"], url);

    exports::set_downloaded(&mut conn, &export_id).await.unwrap();
    let dead = result(&world.operator).await;
    assert_eq!(
        (&dead["download_state"], &dead["download_url"]),
        (&json!("downloaded"), &Value::Null)
    );
    sqlx::query("update exports set downloaded_at = null, expires_at = now() - interval '1 second'")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(result(&world.operator).await["download_state"], "expired");
}

#[tokio::test]
async fn a_job_for_a_worker_that_is_away_says_for_whom_it_waits() {
    let world = World::new().await;
    let source = world.source("web").await;
    let stored = world.snapshot(&source).await;
    let verify = format!("/api/v1/snapshots/{}/verify", stored.id);
    let job = world.operator.post(&verify, Value::Null).await.expect(202)["job"].clone();
    assert_eq!(job.get("waiting_for"), None, "it was heard of just now");
    sqlx::query("update workers set last_seen_at = now() - interval '1 hour'")
        .execute(&world.pool)
        .await
        .unwrap();
    let job = world
        .viewer
        .get(&format!("/api/v1/jobs/{}", id_of(&job)))
        .await
        .expect(200);
    assert_eq!(job["waiting_for"]["worker_id"], stored.worker.as_str());

    let files = world
        .viewer
        .get(&format!("/api/v1/snapshots/{}/files", stored.id))
        .await
        .expect(503);
    assert!(
        files["detail"].as_str().unwrap().contains(stored.worker.as_str()),
        "{files}"
    );
}

#[tokio::test]
async fn a_snapshot_in_use_or_pinned_is_not_deleted() {
    let world = World::new().await;
    let source = world.source("web").await;
    let stored = world.snapshot(&source).await;
    let path = format!("/api/v1/snapshots/{}", stored.id);
    let pin = async |pinned: bool| world.operator.patch(&path, json!({"pinned": pinned})).await.expect(200);
    assert_eq!(pin(true).await["pinned"], true);
    world.admin.delete(&path).await.expect(409);
    assert_eq!(pin(false).await["state"], "complete", "a refusal changes nothing");
    let restore = json!({"format": "zip"});
    let job = world
        .operator
        .post(&format!("{path}/restores"), restore.clone())
        .await
        .expect(202);
    world.admin.delete(&path).await.expect(409);
    let cancel = format!("/api/v1/jobs/{}/cancel", id_of(&job["job"]));
    world.operator.post(&cancel, Value::Null).await.expect(202);
    let job = world.admin.delete(&path).await.expect(202);
    assert_eq!(job["job"]["kind"], "delete");
    world
        .operator
        .post(&format!("{path}/restores"), restore.clone())
        .await
        .expect(409);
    world.admin.delete(&path).await.expect(409);

    let cancel = format!("/api/v1/jobs/{}/cancel", id_of(&job["job"]));
    world.operator.post(&cancel, Value::Null).await.expect(202);
    let kept = world.viewer.get(&path).await.expect(200);
    assert_eq!(kept["state"], "complete", "the removal was called off");
    world
        .operator
        .post(&format!("{path}/restores"), restore)
        .await
        .expect(202);
}

#[tokio::test]
async fn the_end_of_a_hub_ends_its_streams() {
    let mut world = World::new().await;
    let source = world.source("web").await;
    let running = world.running_backup(&source).await;
    let path = format!("/api/v1/jobs/{}/events", running.job.id);
    let request = world
        .viewer
        .request(Method::GET, &path)
        .header("Accept", "text/event-stream");
    let mut stream = request.send().await.unwrap();
    stream.chunk().await.unwrap();
    assert!(world.hub.process.stop().await.success());
    eventually("the stream ends", SOON, async || {
        matches!(stream.chunk().await, Ok(None) | Err(_))
    })
    .await;
}
