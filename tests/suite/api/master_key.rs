//! The master key: the wrong one is refused, a rotated one opens everything.

use secrecy::ExposeSecret;
use serde_json::Value;
use xvault::db::jobs::Claimed;

use super::world::World;
use crate::support::{
    ports::free_port,
    xvault::{Hub, MASTER_KEY, Variable, WORKER_TOKEN, command},
};

const NEW_KEY: &str = "YW5vdGhlciBtYXN0ZXIga2V5LCAzMiBieXRlcyBvazE=";

async fn start_with_key(world: &World, key: &str) -> (bool, String) {
    let env = [
        ("XVAULT_DATABASE_URL", world.database.url.expose_secret().to_owned()),
        ("XVAULT_MASTER_KEY", key.to_owned()),
        ("XVAULT_HUB_LISTEN", format!("127.0.0.1:{}", free_port())),
    ];
    // It ends by itself, and only then is all it had to say there.
    let mut hub = command(&["hub"], &env);
    let output = tokio::task::spawn_blocking(move || hub.output())
        .await
        .unwrap()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn a_hub_with_the_wrong_master_key_does_not_start() {
    let world = World::new().await;
    let (success, output) = start_with_key(&world, NEW_KEY).await;
    assert!(!success);
    let line = output
        .lines()
        .find(|line| line.contains("XVAULT_MASTER_KEY"))
        .unwrap_or_else(|| panic!("{output}"));
    assert!(line.starts_with("xvault: the master key is not the one"), "{line}");
    assert!(!output.contains(NEW_KEY));
}

#[tokio::test]
async fn after_a_rotation_the_new_key_opens_everything_and_the_old_one_nothing() {
    let mut world = World::new().await;
    let source = world.source("web").await;
    let Claimed { job, lease } = world.running_backup(&source).await;
    let rotate = |old: &str, new: &str| {
        let env = [
            ("XVAULT_DATABASE_URL", world.database.url.expose_secret().to_owned()),
            ("XVAULT_MASTER_KEY", old.to_owned()),
            ("XVAULT_NEW_MASTER_KEY", new.to_owned()),
        ];
        let output = command(&["keys", "rotate"], &env).output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    let sealed = async || -> Vec<u8> {
        let sealed = sqlx::query_scalar("select sealed from source_credentials").fetch_one(&world.pool);
        sealed.await.unwrap()
    };
    let before = sealed().await;
    assert!(!rotate(NEW_KEY, MASTER_KEY).0, "the wrong old key");
    assert!(!rotate(MASTER_KEY, MASTER_KEY).0, "no change");
    let (success, output) = rotate(MASTER_KEY, NEW_KEY);
    assert!(success && output.contains("2 tenants"), "{output}");
    assert_eq!(sealed().await, before, "only the wrapping changes");
    assert!(!start_with_key(&world, MASTER_KEY).await.0);

    // A hub that runs on with the old key opens nothing and makes nothing that only it could open.
    let tenant =
        serde_json::json!({"name": "Late", "owner": {"email": "late@example.com", "password": super::world::PASSWORD}});
    world
        .admin
        .post("/api/v1/admin/tenants", tenant.clone())
        .await
        .expect(503);

    let settings: [Variable; 1] = [("XVAULT_MASTER_KEY", NEW_KEY.to_owned())];
    world.hub = Hub::start(&world.database, &settings).await;
    let body = serde_json::json!({"worker_id": lease.worker_id, "lease_id": lease.lease_id});
    let path = format!("/internal/v1/jobs/{}/secrets", job.id);
    let brief = world
        .hub
        .anonymous()
        .with_token(WORKER_TOKEN)
        .post(&path, body)
        .await
        .expect(200);
    assert_eq!(brief["source"]["credentials"]["password"], "the password of the server");
    let admin = world.hub.admin().await;
    let sheet = admin.post("/api/v1/tenant/recovery-sheet", Value::Null).await.text();
    assert!(sheet.contains("AGE-SECRET-KEY-1"));
    admin.post("/api/v1/admin/tenants", tenant).await.expect(201);
}

#[test]
fn a_generated_key_is_one() {
    let output = command(&["keys", "generate"], &[]).output().unwrap();
    let key = String::from_utf8(output.stdout).unwrap();
    assert!(xvault::crypto::envelope::MasterKey::from_base64(&key.into()).is_ok());
}
