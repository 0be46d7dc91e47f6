use serde_json::{Value, json};

use super::world::{World, id_of, source};
use crate::support::{scratch::temp_dir, ssh_keys};

const PRINT: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
const JUMP_PRINT: &str = "SHA256:AAAAQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

#[tokio::test]
async fn a_source_keeps_what_was_said_and_hides_what_opens_it() {
    let world = World::new().await;
    let made = world
        .operator
        .post("/api/v1/sources", source("Web 1"))
        .await
        .expect(201);
    assert_eq!(made["config"]["port"], 22);
    assert_eq!(made["credentials"][0]["field"], "password");
    assert_eq!(made["credentials"].as_array().unwrap().len(), 1);
    assert!(!made.to_string().contains("the password of the server"));
    assert_eq!(
        world
            .viewer
            .get(&format!("/api/v1/sources/{}", id_of(&made)))
            .await
            .expect(200),
        made
    );

    let twin = world
        .operator
        .post("/api/v1/sources", source("wEB 1"))
        .await
        .expect(409);
    assert!(twin["detail"].as_str().unwrap().contains("wEB 1"), "{twin}");
}

#[tokio::test]
async fn a_private_key_shows_its_fingerprint_and_nothing_else() {
    let world = World::new().await;
    let pair = ssh_keys::with_passphrase();
    let file = temp_dir("key");
    let public = file.path().join("key.pub");
    std::fs::write(&public, &pair.public).unwrap();
    let mut new = source("key");
    new["credentials"] = json!({"private_key": pair.private, "passphrase": ssh_keys::PASSPHRASE});
    let made = world.operator.post("/api/v1/sources", new).await.expect(201);
    let fields: Vec<&Value> = made["credentials"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&fields[0]["field"], &fields[1]["field"]),
        (&json!("passphrase"), &json!("private_key"))
    );
    assert_eq!(fields[1]["fingerprint"], ssh_keys::fingerprint(&public));
    assert_eq!(fields[0]["fingerprint"], Value::Null);
}

#[tokio::test]
async fn a_patch_merges_and_another_machine_has_to_be_approved_anew() {
    let world = World::new().await;
    let mut new = source("web");
    new["config"]["jump"] = json!({"host": "jump.example", "user": "hop"});
    new["credentials"]["jump_password"] = json!("the password of the jump host");
    let path = format!(
        "/api/v1/sources/{}",
        id_of(&world.operator.post("/api/v1/sources", new).await.expect(201))
    );
    let approve = async |fingerprint: &str, hop: &str| {
        let body = json!({"fingerprint": fingerprint, "hop": hop});
        world.operator.put(&format!("{path}/identity"), body).await
    };
    approve(JUMP_PRINT, "jump").await.expect(200);
    let pinned = approve(PRINT, "target").await.expect(200);
    assert_eq!(
        (&pinned["identity"]["target"], &pinned["identity"]["jump"]),
        (&json!(PRINT), &json!(JUMP_PRINT))
    );
    assert!(pinned["identity"]["approved_at"].is_string());

    let patch = async |body: Value| world.operator.patch(&path, body).await;
    let changed = patch(json!({"name": "db", "config": {"paths": ["/etc"], "exclude": ["*.log"]}}))
        .await
        .expect(200);
    assert_eq!(changed["name"], "db");
    assert_eq!(changed["config"]["paths"], json!(["/etc"]));
    assert_eq!(changed["config"]["host"], "server.example");
    assert_eq!(changed["identity"]["target"], PRINT, "the same machine");

    let moved = patch(json!({"config": {"port": 2222}})).await.expect(200);
    assert_eq!(moved["identity"]["target"], Value::Null);
    assert_eq!(moved["identity"]["jump"], JUMP_PRINT);
    approve(PRINT, "target").await.expect(200);
    let direct = patch(json!({"config": {"jump": null}, "credentials": {"jump_password": null}}))
        .await
        .expect(200);
    assert_eq!(
        (&direct["identity"]["target"], &direct["identity"]["jump"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(direct["credentials"].as_array().unwrap().len(), 1);

    let needed = patch(json!({"credentials": {"password": null}})).await.expect(422);
    assert_eq!(needed["errors"][0]["pointer"], "/credentials");
    let before = patch(json!({})).await.expect(200);
    let renewed = patch(json!({"credentials": {"password": "another"}})).await.expect(200);
    assert_ne!(before["credentials"][0]["set_at"], renewed["credentials"][0]["set_at"]);
    approve("SHA256:short", "target").await.expect(422);
    approve(PRINT, "jump").await.expect(422);
}

#[tokio::test]
async fn a_deleted_source_leaves_its_snapshots() {
    let world = World::new().await;
    let source = world.source("web").await;
    let path = format!("/api/v1/sources/{source}");
    let stored = world.snapshot(&source).await;
    let job = world
        .operator
        .post(&format!("{path}/backups"), Value::Null)
        .await
        .expect(202);
    let second = world
        .operator
        .post(&format!("{path}/backups"), Value::Null)
        .await
        .expect(409);
    assert_eq!(second["active_job_id"], job["job"]["id"]);
    assert_eq!(second["type"], "urn:xvault:problem:active_backup");
    let busy = world.admin.delete(&path).await.expect(409);
    assert_eq!(busy["active_job_id"], job["job"]["id"]);

    let cancel = format!("/api/v1/jobs/{}/cancel", id_of(&job["job"]));
    assert_eq!(
        world.operator.post(&cancel, Value::Null).await.expect(202)["state"],
        "cancelled"
    );
    world.operator.delete(&path).await.expect(403);
    world.admin.delete(&path).await.expect(204);
    world.admin.delete(&path).await.expect(409);
    assert!(world.viewer.get(&path).await.expect(200)["deleted_at"].is_string());
    assert_eq!(
        world.viewer.get("/api/v1/sources").await.expect(200)["items"],
        json!([])
    );
    world
        .operator
        .post(&format!("{path}/backups"), Value::Null)
        .await
        .expect(409);
    let left = world
        .viewer
        .get(&format!("/api/v1/snapshots/{}", stored.id))
        .await
        .expect(200);
    assert_eq!(left["source_name"], "web");
    let restore = json!({"format": "tar"});
    world
        .operator
        .post(&format!("/api/v1/snapshots/{}/restores", stored.id), restore)
        .await
        .expect(202);
    let credentials: i64 = sqlx::query_scalar("select count(*) from source_credentials")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(credentials, 0);
    // The name is free again.
    world.source("web").await;
}

#[tokio::test]
async fn a_list_is_cut_into_pages_without_gaps() {
    let world = World::new().await;
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(world.source(&format!("s{n}")).await);
    }
    made.reverse();
    let mut seen = Vec::new();
    let mut path = "/api/v1/sources?limit=2".to_owned();
    loop {
        let page = world.viewer.get(&path).await.expect(200);
        seen.extend(page["items"].as_array().unwrap().iter().map(id_of));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/api/v1/sources?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, made);
}
