//! Turns: what ten thousand queued jobs of one tenant do to the others, and what a person waits for.

use std::time::Duration;

use sqlx::PgConnection;
use xvault::{
    db::jobs::{self, Claimed, Offer},
    domain::ids::{JobId, TenantId, WorkerId},
    queue::{orders, route::WORK},
};

use super::support::{catalogue, postgres::Database};

const LEASE: Duration = Duration::from_secs(60);

async fn claim(conn: &mut PgConnection, worker: &WorkerId) -> Claimed {
    let claimed = jobs::claim(conn, &Offer::new(WORK, worker, LEASE)).await.unwrap();
    claimed.expect("a due job")
}

async fn done(conn: &mut PgConnection, claimed: Claimed) -> JobId {
    assert!(jobs::finish(conn, &claimed.lease, &catalogue::done()).await.unwrap());
    claimed.job.id
}

/// Ten thousand due probes of one tenant, each for a server of its own, all older than what comes later.
async fn flood(conn: &mut PgConnection, tenant: &TenantId) {
    let source = catalogue::source(conn, tenant).await;
    sqlx::query(
        "insert into jobs (id, tenant_id, kind, queue, source_id, payload, host, run_at)
         select 'job_' || lpad(to_hex(n), 32, '0'), $1, 'probe', 'work', $2, '{\"type\": \"probe\", \"v\": 1}',
             n || '.example:22', now() - interval '1 hour'
         from generate_series(1, 10000) n",
    )
    .bind(tenant)
    .bind(source)
    .execute(&mut *conn)
    .await
    .unwrap();
}

#[tokio::test]
async fn ten_thousand_jobs_of_one_tenant_delay_anothers_single_job_by_one_job() {
    let database = Database::new().await;
    let mut conn = database.pool().await.acquire().await.unwrap();
    let worker = catalogue::worker(&mut conn).await;
    let (busy, quiet) = (catalogue::tenant(&mut conn).await, catalogue::tenant(&mut conn).await);
    flood(&mut conn, &busy).await;
    // One job at a time, so nobody ever has a job running when the next one is chosen.
    for _ in 0..3 {
        let claimed = claim(&mut conn, &worker).await;
        done(&mut conn, claimed).await;
    }
    let running = claim(&mut conn, &worker).await;
    let single = catalogue::backup(&mut conn, &quiet).await.id;
    done(&mut conn, running).await;
    let next = claim(&mut conn, &worker).await;
    assert_eq!(done(&mut conn, next).await, single);
    // And the next time again, although the tenant was served a moment ago.
    let running = claim(&mut conn, &worker).await;
    assert_eq!(running.job.tenant_id, busy);
    let single = catalogue::backup(&mut conn, &quiet).await.id;
    done(&mut conn, running).await;
    assert_eq!(claim(&mut conn, &worker).await.job.id, single);
}

#[tokio::test]
async fn a_claim_is_quick_beside_ten_thousand_queued_jobs() {
    let database = Database::new().await;
    let mut conn = database.pool().await.acquire().await.unwrap();
    let worker = catalogue::worker(&mut conn).await;
    let busy = catalogue::tenant(&mut conn).await;
    flood(&mut conn, &busy).await;
    sqlx::query("analyze jobs").execute(&mut *conn).await.unwrap();
    let (mut fetched, mut claims) = (read(&mut conn).await, 0);
    for _ in 0..5 {
        claim(&mut conn, &worker).await;
        claims += 1;
        let now = read(&mut conn).await;
        assert!(now - fetched < 200, "claim {claims} read {} rows", now - fetched);
        fetched = now;
    }
}

/// Rows of `jobs` that this session's statements have read so far: work, not time, so that a busy machine
/// changes nothing.
async fn read(conn: &mut PgConnection) -> i64 {
    sqlx::query("select pg_stat_force_next_flush()")
        .execute(&mut *conn)
        .await
        .unwrap();
    let rows = "select seq_tup_read + idx_tup_fetch from pg_stat_user_tables where relname = 'jobs'";
    sqlx::query_scalar(rows).fetch_one(conn).await.unwrap()
}

#[tokio::test]
async fn a_person_does_not_wait_behind_schedules_of_any_tenant() {
    let database = Database::new().await;
    let mut conn = database.pool().await.acquire().await.unwrap();
    let worker = catalogue::worker(&mut conn).await;
    let (mine, other) = (catalogue::tenant(&mut conn).await, catalogue::tenant(&mut conn).await);
    for tenant in [&mine, &mine, &other] {
        let source = catalogue::source(&mut conn, tenant).await;
        let mut scheduled = orders::backup(tenant.clone(), source);
        scheduled.priority = orders::SCHEDULED;
        catalogue::enqueue(&mut conn, &scheduled).await;
    }
    // A schedule has used up my turn; the other tenant's is still to come.
    let first = claim(&mut conn, &worker).await;
    assert_eq!(first.job.tenant_id, mine);
    let asked_for = catalogue::backup(&mut conn, &mine).await.id;
    assert_eq!(claim(&mut conn, &worker).await.job.id, asked_for);
    assert_eq!(claim(&mut conn, &worker).await.job.tenant_id, other);
}
