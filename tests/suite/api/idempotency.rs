use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::world::{World, source};
use crate::support::{
    eventually::{SOON, eventually, eventually_some},
    http::{Api, Reply},
    xvault::Hub,
};

async fn post(api: &Api, path: &str, key: &str, body: &Value) -> Reply {
    let request = api.request(Method::POST, path).header("Idempotency-Key", key);
    Reply::of(request.json(body)).await
}

#[tokio::test]
async fn the_same_request_twice_is_carried_out_once() {
    let world = World::new().await;
    let new = source("once");
    let first = post(&world.operator, "/api/v1/sources", "k1", &new).await;
    let again = post(&world.operator, "/api/v1/sources", "k1", &new).await;
    assert_eq!(again.headers["idempotent-replay"], "true");
    assert_eq!(again.headers["content-type"], first.headers["content-type"]);
    assert_eq!(first.expect(201), again.expect(201));
    assert_eq!(
        world.viewer.get("/api/v1/sources").await.expect(200)["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let other = post(&world.operator, "/api/v1/sources", "k1", &source("other"))
        .await
        .expect(422);
    assert_eq!(other["errors"][0]["pointer"], "/Idempotency-Key");
    // Somebody else's key of the same name is another key.
    post(&world.admin, "/api/v1/sources", "k1", &source("other"))
        .await
        .expect(201);
    post(&world.stranger, "/api/v1/sources", "k1", &source("once"))
        .await
        .expect(201);
    for bad in ["", &"k".repeat(256)] {
        post(&world.operator, "/api/v1/sources", bad, &new).await.expect(422);
    }
}

#[tokio::test]
async fn a_secret_shown_once_is_shown_again_but_not_stored_in_clear() {
    let world = World::new().await;
    let new = json!({"name": "ci", "role": "viewer"});
    let first = post(&world.admin, "/api/v1/api-keys", "k", &new).await.expect(201);
    let again = post(&world.admin, "/api/v1/api-keys", "k", &new).await.expect(201);
    assert_eq!(first["key"], again["key"]);
    let kept: Vec<u8> = sqlx::query_scalar("select sealed_body from idempotency_keys")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    let secret = first["key"].as_str().unwrap().as_bytes();
    assert!(!kept.windows(secret.len()).any(|bytes| bytes == secret));
}

#[tokio::test]
async fn the_same_request_at_the_same_time_is_carried_out_once() {
    let world = World::new().await;
    let path = format!("/api/v1/sources/{}/probe", world.source("web").await);
    let racing = (0..8).map(|_| post(&world.operator, &path, "race", &Value::Null));
    let mut done = 0;
    for reply in futures::future::join_all(racing).await {
        match reply.status.as_u16() {
            202 => done += 1,
            409 => assert_eq!(reply.headers["retry-after"], "1"),
            _ => panic!("{}", reply.text()),
        }
    }
    assert!(done >= 1);
    post(&world.operator, &path, "race", &Value::Null).await.expect(202);
    let jobs = world.viewer.get("/api/v1/jobs?kind=probe").await.expect(200);
    assert_eq!(jobs["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day() {
    let world = World::new().await;
    let new = source("again");
    post(&world.operator, "/api/v1/sources", "k", &new).await.expect(201);
    sqlx::query("update idempotency_keys set created_at = now() - interval '25 hours'")
        .execute(&world.pool)
        .await
        .unwrap();
    // Carried out again, and refused for what the first one did.
    post(&world.operator, "/api/v1/sources", "k", &new).await.expect(409);
}

/// A snapshot to restore, and where to order that.
async fn restorable() -> (World, String) {
    let world = World::new().await;
    let source = world.source("web").await;
    let snapshot = world.snapshot(&source).await.id;
    (world, format!("/api/v1/snapshots/{snapshot}/restores"))
}

async fn restores(world: &World) -> Vec<String> {
    sqlx::query_scalar("select id from jobs where kind = 'restore'")
        .fetch_all(&world.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_order_whose_hub_died_before_its_answer_is_found_by_the_next_hub() {
    let (mut world, path) = restorable().await;
    let other = Hub::start(&world.database, &[]).await;
    let api = other.admin().await;
    let order = json!({"format": "tar"});
    let request = world.admin.request(Method::POST, &path).header("Idempotency-Key", "k");
    let unanswered = tokio::spawn(request.json(&order).send());
    let job = eventually_some("the job is ordered", SOON, async || restores(&world).await.pop()).await;
    world.hub.process.kill();

    let again = post(&api, &path, "k", &order).await;
    assert_eq!(again.headers["idempotent-replay"], "true");
    assert_eq!(again.expect(202)["job"]["id"], *job);
    assert_eq!(restores(&world).await, [job]);
    // Whether the client still heard of it is a matter of luck.
    drop(unanswered.await);
}

#[tokio::test]
async fn a_hub_that_dies_while_it_keeps_the_answer_has_ordered_nothing_and_blocks_nobody() {
    let (mut world, path) = restorable().await;
    let other = Hub::start(&world.database, &[]).await;
    let api = other.admin().await;
    let order = json!({"format": "tar"});
    // Whoever keeps an answer waits for the test.
    sqlx::raw_sql(
        "create function wait_for_test() returns trigger language plpgsql as \
             'begin perform pg_advisory_xact_lock_shared(7); return new; end'; \
         create trigger gate before insert or update on idempotency_keys for each row when (new.status is not null) \
             execute function wait_for_test()",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let mut gate = world.pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(7)")
        .execute(&mut *gate)
        .await
        .unwrap();
    let request = world.admin.request(Method::POST, &path).header("Idempotency-Key", "k");
    let unanswered = tokio::spawn(request.json(&order).send());
    eventually("the hub keeps its answer", SOON, async || {
        sqlx::query_scalar::<_, i64>(
            "select count(*) from pg_locks l join pg_database d on d.oid = l.database \
             where d.datname = current_database() and l.locktype = 'advisory' and not l.granted",
        )
        .fetch_one(&world.pool)
        .await
        .unwrap()
            == 1
    })
    .await;
    assert_eq!(post(&api, &path, "k", &order).await.expect(409)["status"], 409);
    world.hub.process.kill();
    assert!(unanswered.await.unwrap().is_err(), "nobody was promised anything");
    gate.rollback().await.unwrap();

    // PostgreSQL lets go of the key as soon as it notices whom it works for no more.
    let answer = eventually_some("the key is free", Duration::from_secs(10), async || {
        let answer = post(&api, &path, "k", &order).await;
        (answer.status != 409).then_some(answer)
    })
    .await;
    let job = answer.expect(202)["job"]["id"].as_str().unwrap().to_owned();
    assert_eq!(restores(&world).await, [job]);
}
