//! Turns between tenants with real workers: what thousands of queued jobs of one do to another's single job.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgPool;

use super::support::{
    eventually::{SOON, eventually, eventually_some},
    http::Api,
    ports::free_port,
    postgres::Database,
    xvault::{Hub, Worker},
};

/// Workers, each with one job at a time.
const WORKERS: i64 = 2;

/// A source that answers at once, by refusing; its id.
async fn source(api: &Api) -> String {
    let body = json!({
        "name": "refuses",
        "kind": "sftp",
        "config": {"host": "127.0.0.1", "port": free_port(), "user": "backup", "paths": ["/srv"]},
        "credentials": {"password": "never sent"},
    });
    let source = api.post("/api/v1/sources", body).await.expect(201);
    source["id"].as_str().unwrap().to_owned()
}

/// Two thousand due probes of a source, all older than what comes later.
async fn flood(pool: &PgPool, source: &str) {
    sqlx::query(
        "insert into jobs (id, tenant_id, kind, queue, source_id, payload, host, run_at, max_attempts)
         select 'job_' || lpad(to_hex(n), 32, '0'), tenant_id, 'probe', 'work', id, '{\"type\": \"probe\", \"v\": 1}',
             n || '.example:22', now() - interval '1 hour', 1
         from sources, generate_series(1, 2000) n where id = $1",
    )
    .bind(source)
    .execute(pool)
    .await
    .unwrap();
}

/// Jobs of the flood that began after this time and before that, and those that wait.
async fn flood_between(pool: &PgPool, source: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> (i64, i64) {
    sqlx::query_as(
        "select count(*) filter (where started_at > $2 and started_at < $3), count(*) filter (where state = 'queued') \
         from jobs where source_id = $1",
    )
    .bind(source)
    .bind(from)
    .bind(to)
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_jobs_of_one_tenant_delay_anothers_by_one_job_of_each_worker() {
    let database = Database::new().await;
    let hub = Hub::start(&database, &[]).await;
    let (pool, busy) = (database.pool().await, hub.admin().await);
    let owner = json!({"email": "quiet@example.com", "password": "long enough for everybody"});
    busy.post("/api/v1/admin/tenants", json!({"name": "Quiet", "owner": owner}))
        .await
        .expect(201);
    let quiet = hub
        .anonymous()
        .sign_in("quiet@example.com", "long enough for everybody")
        .await;
    let (flooded, single) = (source(&busy).await, source(&quiet).await);
    flood(&pool, &flooded).await;
    let one_at_a_time = [("XVAULT_WORKER_CONCURRENCY", "1".to_owned())];
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(Worker::start(&database, &hub, &one_at_a_time).await);
    }
    // Tickets for each of them; the rest of the flood goes on from job to job.
    for _ in 0..WORKERS {
        busy.post(&format!("/api/v1/sources/{flooded}/probe"), json!({}))
            .await
            .expect(202);
    }
    eventually("every worker is busy with the flood", SOON, async || {
        let (workers, over): (i64, i64) =
            sqlx::query_as("select count(distinct worker_id), count(*) from jobs where finished_at is not null")
                .fetch_one(&pool)
                .await
                .unwrap();
        workers == WORKERS && over >= 20
    })
    .await;
    for _ in 0..5 {
        let path = format!("/api/v1/sources/{single}/probe");
        let answer = quiet.post(&path, json!({})).await.expect(202);
        let ordered: DateTime<Utc> = sqlx::query_scalar("select clock_timestamp()")
            .fetch_one(&pool)
            .await
            .unwrap();
        let id = answer["job"]["id"].as_str().unwrap();
        let began = eventually_some("the single job begins", SOON, async || {
            sqlx::query_scalar::<_, Option<DateTime<Utc>>>("select started_at from jobs where id = $1")
                .bind(id)
                .fetch_one(&pool)
                .await
                .unwrap()
        })
        .await;
        let (before, waiting) = flood_between(&pool, &flooded, ordered, began).await;
        assert!(before <= WORKERS, "{before} jobs of the flood went first");
        assert!(waiting > 500, "the flood must last: {waiting}");
    }
}
