//! Sources of kind `ftp` through the API: what is accepted, and what is told about the rest.

use serde_json::{Value, json};

use super::world::{World, id_of};

fn source(config: Value, credentials: Value) -> Value {
    let mut whole = json!({"host": "ftp.example.com", "user": "web", "paths": ["."]});
    for (key, value) in config.as_object().unwrap() {
        whole[key] = value.clone();
    }
    json!({"name": "web space", "kind": "ftp", "config": whole, "credentials": credentials})
}

#[tokio::test]
async fn tls_is_what_nobody_has_to_ask_for() {
    let world = World::new().await;
    let body = source(json!({}), json!({"password": "p"}));
    let created = world.admin.post("/api/v1/sources", body).await.expect(201);
    let config = &created["config"];
    assert_eq!((&config["tls"], &config["port"]), (&json!("required"), &json!(21)));
    assert!(!created.to_string().contains("\"p\""), "{created}");

    // A certificate is approved by its own kind of fingerprint and no other.
    let path = format!("/api/v1/sources/{}/identity", id_of(&created));
    let certificate = format!("SHA256:{}", ["0F"; 32].join(":"));
    let key = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    world.admin.put(&path, json!({"fingerprint": key})).await.expect(422);
    let approved = world
        .admin
        .put(&path, json!({"fingerprint": certificate}))
        .await
        .expect(200);
    assert_eq!(approved["identity"]["target"], json!(certificate));
}

#[tokio::test]
async fn every_fault_has_its_pointer() {
    let world = World::new().await;
    for (config, credentials, pointer) in [
        (json!({"tls": "maybe"}), json!({"password": "p"}), "/config/tls"),
        (
            json!({"connections": 0}),
            json!({"password": "p"}),
            "/config/connections",
        ),
        (
            json!({"connections": 17}),
            json!({"password": "p"}),
            "/config/connections",
        ),
        (json!({"ca": "me"}), json!({"password": "p"}), "/config/ca"),
        (
            json!({"paths": ["a\nDELE b"]}),
            json!({"password": "p"}),
            "/config/paths/0",
        ),
        (
            json!({"jump": {"host": "x", "user": "y"}}),
            json!({"password": "p"}),
            "/config",
        ),
        (json!({}), json!({}), "/credentials"),
        (json!({}), json!({"password": "p\rDELE b"}), "/credentials/password"),
        (
            json!({}),
            json!({"private_key": "k", "password": "p"}),
            "/credentials/private_key",
        ),
    ] {
        let reply = world
            .admin
            .post("/api/v1/sources", source(config.clone(), credentials))
            .await;
        assert_eq!(reply.status.as_u16(), 422, "{config}: {}", reply.text());
        assert!(
            reply.text().contains(&format!("\"{pointer}")),
            "{config}: {}",
            reply.text()
        );
    }
}
