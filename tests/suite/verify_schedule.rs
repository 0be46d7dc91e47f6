//! Verification by schedule: which snapshots, how many, by whom, and what comes of it.

use std::fs;

use serde_json::json;
use sqlx::PgPool;
use xvault::{
    clock::Clock,
    crypto::envelope::MasterKey,
    hub::{Hub, HubSettings, scheduler::verification},
    shutdown::Shutdown,
};

use super::{
    api::world::World,
    support::{
        eventually::{SOON, eventually_some},
        site::Site,
        xvault::{self as product, MASTER_KEY},
    },
};

/// Hubs of one database that do nothing but what they are told.
fn hub(pool: &PgPool, share: f64) -> Hub {
    let settings = HubSettings {
        url: "http://127.0.0.1:1".parse().unwrap(),
        worker_token: None,
        metrics_token: None,
        verify_share: share,
        settling: std::time::Duration::from_secs(15),
    };
    let key = MasterKey::from_base64(&MASTER_KEY.into()).unwrap();
    Hub::new(
        pool.clone(),
        Clock::default(),
        key,
        settings,
        Shutdown::default().token(),
    )
    .unwrap()
}

/// Lets the schedule be as if it had slept for so long.
async fn slept(pool: &PgPool, hours: i32) {
    sqlx::query("update verification_pace set ordered_to = now() - make_interval(hours => $1)")
        .bind(hours)
        .execute(pool)
        .await
        .unwrap();
}

async fn ordered(pool: &PgPool) -> Vec<(String, i16)> {
    sqlx::query_as("select snapshot_id, priority from jobs where kind = 'verify' order by id")
        .fetch_all(pool)
        .await
        .unwrap()
}

/// Five snapshots of one worker, taken an hour after each other; oldest first.
async fn five(world: &World) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..5 {
        let source = world.source(&format!("site {n}")).await;
        ids.push(world.snapshot(&source).await.id);
    }
    for (n, id) in ids.iter().enumerate() {
        sqlx::query(
            "update snapshots set worker_id = (select min(id) from workers), \
                 created_at = now() - make_interval(hours => $2) where id = $1",
        )
        .bind(id)
        .bind(100 - i32::try_from(n).unwrap())
        .execute(&world.pool)
        .await
        .unwrap();
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn many_hubs_order_each_due_verification_once_oldest_first() {
    let world = World::with(&[("XVAULT_VERIFY_SHARE", "0%".to_owned())]).await;
    let ids = five(&world).await;
    // A fifth of five a day: one a day.
    let hubs: Vec<Hub> = (0..6).map(|_| hub(&world.pool, 0.2)).collect();
    let round = async || {
        let rounds = hubs.iter().map(|hub| verification::once(hub.clone()));
        for done in futures::future::join_all(rounds).await {
            done.unwrap();
        }
        ordered(&world.pool).await
    };
    assert_eq!(round().await, [], "the schedule begins with the worker");
    slept(&world.pool, 23).await;
    assert_eq!(round().await, [], "not yet");
    slept(&world.pool, 25).await;
    let low = 10;
    assert_eq!(round().await, [(ids[0].clone(), low)]);
    assert_eq!(round().await.len(), 1, "once");

    // The rest of a day is kept, and a long sleep is not made up for in a rush.
    sqlx::query("update snapshots set verified_at = now(), verified_depth = 'content' where id = $1")
        .bind(&ids[1])
        .execute(&world.pool)
        .await
        .unwrap();
    slept(&world.pool, 24 * 30).await;
    assert_eq!(
        round().await,
        [(ids[0].clone(), low), (ids[2].clone(), low)],
        "two at once at most"
    );
    sqlx::query("update jobs set state = 'cancelled', finished_at = now() where kind = 'verify'")
        .execute(&world.pool)
        .await
        .unwrap();
    slept(&world.pool, 24 * 30).await;
    let next: Vec<String> = round().await.into_iter().skip(2).map(|(id, _)| id).collect();
    assert_eq!(next, ids[3..5], "those that were ordered wait for their next turn");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_ordered_of_workers_that_are_away_or_of_snapshots_that_are_gone() {
    let world = World::with(&[("XVAULT_VERIFY_SHARE", "0%".to_owned())]).await;
    five(&world).await;
    let all = hub(&world.pool, 1.0);
    verification::once(all.clone()).await.unwrap();
    slept(&world.pool, 24).await;
    sqlx::query("update workers set last_seen_at = now() - interval '1 hour'")
        .execute(&world.pool)
        .await
        .unwrap();
    verification::once(all.clone()).await.unwrap();
    sqlx::query("update workers set last_seen_at = now()")
        .execute(&world.pool)
        .await
        .unwrap();
    sqlx::query("update snapshots set state = 'missing', fault = 'gone'")
        .execute(&world.pool)
        .await
        .unwrap();
    verification::once(all.clone()).await.unwrap();
    verification::once(hub(&world.pool, 0.0)).await.unwrap();
    assert_eq!(ordered(&world.pool).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_verifies_by_itself_and_of_tenants_with_their_own_key_the_hashes() {
    let site = Site::start().await;
    fs::write(site.sshd.home().join("file"), "content").unwrap();
    let snapshot = site.snapshot().await;
    let path = format!("/api/v1/snapshots/{snapshot}");
    let pool = site.stack.database.pool().await;
    let verified = async |depth: &str| {
        let sleep = "insert into verification_pace select id, now() - interval '9 days' from workers \
                     on conflict (worker_id) do update set ordered_to = excluded.ordered_to";
        sqlx::query(sleep).execute(&pool).await.unwrap();
        // Each hub looks at the schedule when it starts.
        let share = [("XVAULT_VERIFY_SHARE", "100%".to_owned())];
        let _hub = product::Hub::start(&site.stack.database, &share).await;
        let found = eventually_some("the snapshot is verified", SOON, async || {
            let found = site.api.get(&path).await.expect(200);
            (found["verified_depth"] == depth).then_some(found)
        });
        found.await
    };
    assert!(verified("content").await["verified_at"].is_string());

    // Their key is theirs now.
    sqlx::query("update age_keys set sealed_identity = null")
        .execute(&pool)
        .await
        .unwrap();
    let found = verified("hashes").await;
    assert_eq!(found["state"], "complete", "{found}");

    let file = site.place(&snapshot).await.join("backup.tar.zst.enc");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let answer = site.api.post(&format!("{path}/verify"), json!({})).await.expect(202);
    let job = site.over(answer["job"]["id"].as_str().unwrap()).await;
    assert_eq!(job["error"]["code"], "snapshot_damaged", "{job}");
    let found = site.api.get(&path).await.expect(200);
    assert!(found["fault"].as_str().unwrap().contains("SHA-256"), "{found}");
}
