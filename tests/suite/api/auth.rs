use serde_json::json;

use super::world::{PASSWORD, World, id_of};
use crate::support::{
    http::Reply,
    xvault::{ADMIN_EMAIL, ADMIN_PASSWORD},
};

#[tokio::test]
async fn signing_in_tells_who_one_is_and_signing_out_ends_it() {
    let world = World::new().await;
    let anonymous = world.hub.anonymous();
    let body = json!({"email": format!("  {}", ADMIN_EMAIL.to_uppercase()), "password": ADMIN_PASSWORD});
    let tokens = anonymous.post("/api/v1/auth/login", body).await.expect(200);
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"]),
        (&json!("Bearer"), &json!(900))
    );
    let me = anonymous.with_token(tokens["access_token"].as_str().unwrap());
    let who = me.get("/api/v1/me").await.expect(200);
    assert_eq!(who["user"]["email"], ADMIN_EMAIL);
    assert_eq!(who["user"]["platform_admin"], true);
    assert_eq!(who["role"], "owner");

    let body = json!({"refresh_token": tokens["refresh_token"]});
    let gone = anonymous.post("/api/v1/auth/logout", body).await;
    assert_eq!((gone.status.as_u16(), gone.bytes.len()), (204, 0));
    me.get("/api/v1/me").await.expect(401);
}

#[tokio::test]
async fn a_refresh_token_used_twice_ends_the_whole_session() {
    let world = World::new().await;
    let anonymous = world.hub.anonymous();
    let login = json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD});
    let first = anonymous.post("/api/v1/auth/login", login).await.expect(200);
    let refresh = async |token: &serde_json::Value| {
        anonymous
            .post("/api/v1/auth/refresh", json!({"refresh_token": token}))
            .await
    };
    let second = refresh(&first["refresh_token"]).await.expect(200);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let third = refresh(&second["refresh_token"]).await.expect(200);
    let me = anonymous.with_token(third["access_token"].as_str().unwrap());
    me.get("/api/v1/me").await.expect(200);

    refresh(&first["refresh_token"]).await.expect(401);
    refresh(&third["refresh_token"]).await.expect(401);
    me.get("/api/v1/me").await.expect(401);
}

#[tokio::test]
async fn guessing_passwords_is_slowed_down_and_succeeding_is_not() {
    let world = World::new().await;
    let anonymous = world.hub.anonymous();
    let attempt = async |email: &str, password: &str| -> Reply {
        let body = json!({"email": email, "password": password});
        anonymous.post("/api/v1/auth/login", body).await
    };
    for _ in 0..12 {
        attempt(ADMIN_EMAIL, ADMIN_PASSWORD).await.expect(200);
    }
    let mut unknown_and_wrong = Vec::new();
    for email in ["viewer@example.com", "nobody@example.com"] {
        let first = attempt(email, "wrong").await.expect(401);
        unknown_and_wrong.push(first);
        for _ in 1..10 {
            attempt(email, "wrong").await.expect(401);
        }
        let refused = attempt(email, PASSWORD).await;
        let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        assert_eq!(refused.expect(429)["type"], "urn:xvault:problem:rate_limited");
    }
    assert_eq!(
        unknown_and_wrong[0], unknown_and_wrong[1],
        "the answer tells nobody who exists"
    );
    attempt(ADMIN_EMAIL, ADMIN_PASSWORD).await.expect(200);
}

#[tokio::test]
async fn an_api_key_does_what_its_role_and_its_maker_may() {
    let world = World::new().await;
    let new = json!({"name": "ci", "role": "viewer"});
    let made = world.admin.post("/api/v1/api-keys", new).await.expect(201);
    let secret = made["key"].as_str().unwrap();
    assert!(secret.starts_with("xvk_"));
    let key = world.hub.anonymous().with_token(secret);
    assert_eq!(key.get("/api/v1/me").await.expect(200)["role"], "viewer");
    key.get("/api/v1/sources").await.expect(200);
    key.post("/api/v1/sources", super::world::source("a")).await.expect(403);
    // The maker administrates the platform; the key never does.
    key.get("/api/v1/workers").await.expect(403);

    let listed = world.admin.get("/api/v1/api-keys").await.expect(200);
    assert_eq!(listed["items"][0]["id"], made["id"]);
    assert!(!listed.to_string().contains(secret));
    world
        .admin
        .delete(&format!("/api/v1/api-keys/{}", id_of(&made)))
        .await
        .expect(204);
    key.get("/api/v1/me").await.expect(401);

    let past = json!({"name": "old", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"});
    let refused = world.admin.post("/api/v1/api-keys", past).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/expires_at");
    let soon = json!({"name": "brief", "role": "viewer", "expires_at": "2090-01-01T00:00:00Z"});
    let brief = world.admin.post("/api/v1/api-keys", soon).await.expect(201);
    let key = world.hub.anonymous().with_token(brief["key"].as_str().unwrap());
    key.get("/api/v1/me").await.expect(200);
    sqlx::query("update api_keys set expires_at = now() - interval '1 second'")
        .execute(&world.pool)
        .await
        .unwrap();
    key.get("/api/v1/me").await.expect(401);
}

#[tokio::test]
async fn strange_authorizations_are_401() {
    let world = World::new().await;
    let expired_elsewhere = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c3JfYSIsInNpZCI6InNlc19hIiwiaWF0IjowLCJleHAiOjk5OTk5OTk5OTl9.x";
    for token in ["", " ", "x", "xvk_", "xvk_unknown", "a.b.c", expired_elsewhere] {
        let reply = world.hub.anonymous().with_token(token).get("/api/v1/me").await;
        assert_eq!(reply.headers["www-authenticate"], "Bearer", "{token:?}");
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        reply.expect(401);
    }
    world.hub.anonymous().get("/api/v1/me").await.expect(401);
}
