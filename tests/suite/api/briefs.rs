//! What workers get, and that nobody else gets it.

use serde_json::{Value, json};
use xvault::{
    db::jobs::Claimed,
    domain::ids::{JobId, WorkerId},
    queue::route,
};

use super::world::World;
use crate::support::{catalogue, xvault::WORKER_TOKEN};

async fn ask(world: &World, token: &str, job: &JobId, worker: &WorkerId, lease: uuid::Uuid) -> (u16, Value) {
    let body = json!({"worker_id": worker, "lease_id": lease});
    let path = format!("/internal/v1/jobs/{job}/secrets");
    let reply = world.hub.anonymous().with_token(token).post(&path, body).await;
    let status = reply.status.as_u16();
    (status, reply.expect(status))
}

#[tokio::test]
async fn a_worker_gets_the_secrets_of_the_job_it_holds_and_of_no_other() {
    let world = World::new().await;
    let source = world.source("web").await;
    let Claimed { job, lease } = world.running_backup(&source).await;
    let (status, brief) = ask(&world, WORKER_TOKEN, &job.id, &lease.worker_id, lease.lease_id).await;
    assert_eq!(status, 200);
    assert_eq!(
        brief["source"]["credentials"],
        json!({"password": "the password of the server"})
    );
    assert_eq!(brief["source"]["config"]["host"], "server.example");
    assert!(brief["recipients"][0].as_str().unwrap().starts_with("age1"));
    assert!(!brief.to_string().contains("AGE-SECRET-KEY"));

    let mut conn = world.pool.acquire().await.unwrap();
    let other = catalogue::worker(&mut conn).await;
    let api_token = "xvk_nothing";
    for (token, worker, lease_id, expected) in [
        (api_token, &lease.worker_id, lease.lease_id, 401),
        ("", &lease.worker_id, lease.lease_id, 401),
        (WORKER_TOKEN, &other, lease.lease_id, 404),
        (WORKER_TOKEN, &lease.worker_id, uuid::Uuid::new_v4(), 404),
    ] {
        assert_eq!(ask(&world, token, &job.id, worker, lease_id).await.0, expected);
    }
    assert_eq!(
        ask(
            &world,
            WORKER_TOKEN,
            &JobId::generate(),
            &lease.worker_id,
            lease.lease_id
        )
        .await
        .0,
        404
    );
    sqlx::query("update jobs set lease_expires_at = now() - interval '1 second'")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(
        ask(&world, WORKER_TOKEN, &job.id, &lease.worker_id, lease.lease_id)
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn a_restore_gets_file_keys_and_never_the_tenants_identity() {
    let world = World::new().await;
    let source = world.source("web").await;
    let stored = world.snapshot(&source).await;
    let path = format!("/api/v1/snapshots/{}/restores", stored.id);
    world.operator.post(&path, json!({"format": "tar"})).await.expect(202);
    let Claimed { job, lease } = world.claim(&route::of_worker(&stored.worker), &stored.worker).await;
    let (status, brief) = ask(&world, WORKER_TOKEN, &job.id, &lease.worker_id, lease.lease_id).await;
    assert_eq!(status, 200);
    assert_eq!(brief["file_keys"]["snapshot_id"], stored.id);
    assert_eq!(
        brief["file_keys"]["backup"].as_str().unwrap().len(),
        24,
        "16 bytes in base64"
    );
    assert_eq!(brief["export_token"].as_str().unwrap().len(), 43);
    assert!(brief.get("source").is_none());
    assert!(!brief.to_string().contains("AGE-SECRET-KEY"));
}

#[tokio::test]
async fn a_worker_token_of_the_command_line_works_until_it_is_revoked() {
    use crate::support::xvault::command;
    use secrecy::ExposeSecret;

    let world = World::new().await;
    let env = [("XVAULT_DATABASE_URL", world.database.url.expose_secret().to_owned())];
    let run = |args: &[&str]| {
        let output = command(args, &env).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let token = run(&["admin", "worker-token", "--label", "eu"]);
    let source = world.source("web").await;
    let Claimed { job, lease } = world.running_backup(&source).await;
    assert_eq!(
        ask(&world, &token, &job.id, &lease.worker_id, lease.lease_id).await.0,
        200
    );
    run(&["admin", "worker-token", "--label", "eu", "--revoke"]);
    assert_eq!(
        ask(&world, &token, &job.id, &lease.worker_id, lease.lease_id).await.0,
        401
    );
}
