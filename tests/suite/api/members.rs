use serde_json::json;

use super::world::{PASSWORD, World, id_of};

#[tokio::test]
async fn an_invitation_works_once() {
    let world = World::new().await;
    let new = json!({"email": "Ada@Example.org", "role": "operator"});
    let made = world.admin.post("/api/v1/members", new.clone()).await.expect(201);
    assert_eq!(
        (&made["email"], &made["invited"]),
        (&json!("ada@example.org"), &json!(true))
    );
    let url = made["invitation_url"].as_str().unwrap();
    let token = url.strip_prefix(&format!("{}/invitations/", world.hub.url)).unwrap();
    world.admin.post("/api/v1/members", new).await.expect(409);

    let anonymous = world.hub.anonymous();
    let accept = async |token: &str, password: &str| {
        let body = json!({"token": token, "password": password});
        anonymous.post("/api/v1/invitations/accept", body).await
    };
    assert_eq!(
        accept(token, "short").await.expect(422)["errors"][0]["pointer"],
        "/password"
    );
    accept("xvi_unknown", PASSWORD).await.expect(404);
    accept(token, PASSWORD).await.expect(204);
    accept(token, "another password").await.expect(404);
    let ada = anonymous.sign_in("ada@example.org", PASSWORD).await;
    assert_eq!(ada.get("/api/v1/me").await.expect(200)["role"], "operator");
    let listed = world.admin.get("/api/v1/members").await.expect(200);
    let ada = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|member| member["id"] == made["id"])
        .unwrap();
    assert_eq!(ada["invited"], false);
    assert!(!listed.to_string().contains(token));
}

#[tokio::test]
async fn a_changed_role_and_a_removal_count_at_once() {
    let world = World::new().await;
    let listed = world.admin.get("/api/v1/members").await.expect(200);
    let id_by = |email: &str| {
        let members = listed["items"].as_array().unwrap();
        id_of(members.iter().find(|member| member["email"] == email).unwrap())
    };
    let operator = format!("/api/v1/members/{}", id_by("operator@example.com"));
    world.operator.get("/api/v1/members").await.expect(403);
    world.admin.patch(&operator, json!({"role": "owner"})).await.expect(200);
    world.operator.get("/api/v1/members").await.expect(200);
    let key = json!({"name": "k", "role": "owner"});
    let key = world.operator.post("/api/v1/api-keys", key).await.expect(201);
    let key = world.hub.anonymous().with_token(key["key"].as_str().unwrap());
    key.get("/api/v1/members").await.expect(200);
    world
        .admin
        .patch(&operator, json!({"role": "viewer"}))
        .await
        .expect(200);
    key.get("/api/v1/members").await.expect(403);

    world.admin.delete(&operator).await.expect(204);
    world.operator.get("/api/v1/me").await.expect(401);
    key.get("/api/v1/me").await.expect(401);
    world.admin.delete(&operator).await.expect(404);

    let admin = format!("/api/v1/members/{}", id_by("admin@example.com"));
    world.admin.delete(&admin).await.expect(409);
    world.admin.patch(&admin, json!({"role": "viewer"})).await.expect(409);
}

#[tokio::test]
async fn nobody_sets_the_password_of_somebody_who_exists() {
    let world = World::new().await;
    let taken = json!({"email": "viewer@example.com", "role": "owner", "password": "a password of the stranger"});
    world.stranger.post("/api/v1/members", taken).await.expect(409);
    let invited = json!({"email": "viewer@example.com", "role": "owner"});
    let made = world.stranger.post("/api/v1/members", invited).await.expect(201);
    let token = made["invitation_url"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let body = json!({"token": token, "password": "a password of the stranger"});
    world
        .hub
        .anonymous()
        .post("/api/v1/invitations/accept", body)
        .await
        .expect(204);
    let viewer = world.hub.anonymous().sign_in("viewer@example.com", PASSWORD).await;
    let me = viewer.get("/api/v1/me").await.expect(200);
    assert_eq!((&me["tenant"]["name"], &me["role"]), (&json!("Main"), &json!("viewer")));
}
