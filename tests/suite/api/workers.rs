//! Draining and retiring as the catalogue sees it, and what people are told about the fleet.

use serde_json::{Value, json};
use xvault::{
    db::workers,
    domain::{ids::WorkerId, worker::Wish},
    queue::route,
};

use super::world::{Stored, World, id_of};
use crate::support::{catalogue, eventually, eventually::SOON};

async fn silence(world: &World, worker: &WorkerId) {
    let silent = "update workers set last_seen_at = now() - interval '1 hour' where id = $1";
    sqlx::query(silent).bind(worker).execute(&world.pool).await.unwrap();
}

/// A snapshot on a worker that is away, with a restore that waits for it.
async fn stranded(world: &World) -> (Stored, String) {
    let source = world.source("web").await;
    let stored = world.snapshot(&source).await;
    let path = format!("/api/v1/snapshots/{}/restores", stored.id);
    let restore = world.operator.post(&path, json!({"format": "tar"})).await.expect(202);
    silence(world, &stored.worker).await;
    (stored, id_of(&restore["job"]))
}

async fn kinds(api: &crate::support::http::Api) -> Vec<String> {
    let alerts = api.get("/api/v1/alerts").await.expect(200);
    let items = alerts["items"].as_array().unwrap().iter();
    items.map(|alert| alert["kind"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_only_a_worker_has_is_shown_and_then_ended() {
    let world = World::new().await;
    let (stored, restore) = stranded(&world).await;
    let deleted = world.snapshot(&world.source("old").await).await;
    let delete = world
        .admin
        .delete(&format!("/api/v1/snapshots/{}", deleted.id))
        .await
        .expect(202);
    // Both lie with the same worker now.
    for (sql, from) in [
        (
            "update snapshots set worker_id = $1 where worker_id = $2",
            deleted.worker.to_string(),
        ),
        (
            "update jobs set queue = 'worker.' || $1 where queue = $2",
            route::of_worker(&deleted.worker),
        ),
    ] {
        sqlx::query(sql)
            .bind(&stored.worker)
            .bind(from)
            .execute(&world.pool)
            .await
            .unwrap();
    }
    let path = format!("/api/v1/workers/{}", stored.worker);
    let shown = world.admin.get(&path).await.expect(200);
    assert_eq!(shown["state"], "away");
    assert_eq!(
        (&shown["holds"][0]["snapshots"], &shown["holds"][0]["bytes_stored"]),
        (&json!(1), &json!(20))
    );
    assert_eq!(shown["holds"][0]["tenant_id"], world.tenant.as_str());
    assert_eq!(shown["waiting"].as_array().unwrap().len(), 2, "{shown}");

    let retire = format!("{path}/retire");
    for wrong in [json!({"confirm": "wrk_other"}), json!({"confirm": ""}), json!({})] {
        world.admin.post(&retire, wrong).await.expect(422);
    }
    let done = world
        .admin
        .post(&retire, json!({"confirm": stored.worker}))
        .await
        .expect(200);
    assert_eq!(
        (
            &done["snapshots_missing"],
            &done["jobs_failed"],
            &done["deletions_moved"]
        ),
        (&json!(1), &json!(1), &json!(1)),
        "{done}"
    );
    world
        .admin
        .post(&retire, json!({"confirm": stored.worker}))
        .await
        .expect(409);
    world
        .admin
        .post(&format!("{path}/drain"), Value::Null)
        .await
        .expect(409);

    let job = world.viewer.get(&format!("/api/v1/jobs/{restore}")).await.expect(200);
    assert_eq!(
        (&job["state"], &job["error"]["code"]),
        (&json!("failed"), &json!("worker_retired")),
        "{job}"
    );
    let events = world
        .viewer
        .get(&format!("/api/v1/jobs/{restore}/events"))
        .await
        .expect(200);
    assert_eq!(events.as_array().unwrap().last().unwrap()["kind"], "failed");
    let snapshot = format!("/api/v1/snapshots/{}", stored.id);
    assert_eq!(world.viewer.get(&snapshot).await.expect(200)["state"], "missing");
    let refused = world
        .operator
        .post(&format!("{snapshot}/verify"), Value::Null)
        .await
        .expect(409);
    assert!(refused["detail"].as_str().unwrap().contains("was retired"), "{refused}");

    // Rows of what nobody has can still be removed, by any worker.
    let ordered = world.admin.delete(&snapshot).await.expect(202);
    let other = catalogue::worker(&mut world.pool.acquire().await.unwrap()).await;
    let mut taken = [
        world.claim(route::WORK, &other).await.job.id.to_string(),
        world.claim(route::WORK, &other).await.job.id.to_string(),
    ];
    taken.sort();
    let mut expected = [id_of(&delete["job"]), id_of(&ordered["job"])];
    expected.sort();
    assert_eq!(taken, expected);
}

#[tokio::test]
async fn a_retired_worker_changes_nothing_any_more() {
    let world = World::new().await;
    let (stored, _) = stranded(&world).await;
    let path = format!("/api/v1/workers/{}", stored.worker);
    world
        .admin
        .post(&format!("{path}/retire"), json!({"confirm": stored.worker}))
        .await
        .expect(200);

    let mut conn = world.database.worker_pool().await.acquire().await.unwrap();
    let beat = catalogue::beat(stored.worker.clone());
    assert_eq!(workers::heartbeat(&mut conn, &beat).await.unwrap(), Wish::Retire);
    let copied = sqlx::query(
        "insert into snapshots select (jsonb_populate_record(s, jsonb_build_object('id', 'snp_9', 'job_id', j.id))).* \
         from snapshots s, jobs j where s.id = $1 and j.kind = 'restore'",
    );
    let refused = copied
        .bind(&stored.id)
        .execute(&mut *conn)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("is retired"), "{refused}");
    let deeds: Vec<(String, Option<String>)> =
        sqlx::query_as("select action, target from audit_log where action like 'worker.%'")
            .fetch_all(&world.pool)
            .await
            .unwrap();
    assert_eq!(deeds, [("worker.retire".to_owned(), Some(stored.worker.to_string()))]);
    for decision in ["drain_requested_at = now()", "retired_at = null"] {
        let sql = sqlx::AssertSqlSafe(format!("update workers set {decision}"));
        let denied = sqlx::query(sql).execute(&mut *conn).await.unwrap_err().to_string();
        assert!(denied.contains("permission denied"), "{denied}");
    }
}

#[tokio::test]
async fn everybody_hears_what_concerns_them() {
    let world = World::new().await;
    assert_eq!(kinds(&world.stranger).await, ["no_worker_online"]);
    let (stored, _) = stranded(&world).await;
    catalogue::worker(&mut world.pool.acquire().await.unwrap()).await;
    eventually("the facts are fresh", SOON, async || {
        kinds(&world.stranger).await.is_empty()
    })
    .await;
    assert_eq!(kinds(&world.viewer).await, ["snapshots_unreachable"]);
    assert_eq!(
        kinds(&world.admin).await,
        ["worker_away", "snapshots_unreachable", "versions_differ"]
    );
    let alerts = world.viewer.get("/api/v1/alerts").await.expect(200);
    let alert = &alerts["items"][0];
    assert!(
        alert["message"]
            .as_str()
            .unwrap()
            .starts_with("1 of your snapshots lies"),
        "{alert}"
    );
    assert_eq!(alert["worker_id"], stored.worker.as_str());
    assert!(alert["since"].is_string());

    // A backup that is due for long, and a worker without room.
    let source = world.source("db").await;
    world
        .operator
        .post(&format!("/api/v1/sources/{source}/backups"), Value::Null)
        .await
        .expect(202);
    sqlx::query("update jobs set run_at = now() - interval '11 minutes' where queue = 'work'")
        .execute(&world.pool)
        .await
        .unwrap();
    let crowded = workers::Heartbeat {
        paused_reason: Some("the disk is full".into()),
        ..catalogue::beat(WorkerId::generate())
    };
    workers::heartbeat(&mut world.pool.acquire().await.unwrap(), &crowded)
        .await
        .unwrap();
    eventually("the facts are fresh", SOON, async || {
        let kinds = kinds(&world.admin).await;
        ["queue_stuck", "disk_short"]
            .iter()
            .all(|kind| kinds.iter().any(|k| k == kind))
    })
    .await;
    assert_eq!(
        kinds(&world.viewer).await,
        ["snapshots_unreachable"],
        "the rest is the platform's"
    );
}
