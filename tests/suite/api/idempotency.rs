use reqwest::Method;
use serde_json::{Value, json};

use super::world::{World, source};
use crate::support::http::{Api, Reply};

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
async fn a_request_that_died_with_its_hub_can_be_made_again() {
    let world = World::new().await;
    let new = source("again");
    post(&world.operator, "/api/v1/sources", "k", &json!({}))
        .await
        .expect(422);
    sqlx::query(
        "update idempotency_keys set status = null, sealed_body = null, created_at = now() - interval '2 minutes'",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    post(&world.operator, "/api/v1/sources", "k", &new).await.expect(201);
    sqlx::query("update idempotency_keys set created_at = now() - interval '25 hours'")
        .execute(&world.pool)
        .await
        .unwrap();
    post(&world.operator, "/api/v1/sources", "k", &new).await.expect(409);
}
