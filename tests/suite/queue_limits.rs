//! Limits: how many jobs run at once per tenant and per server, and what waiting jobs say.

use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::{PgConnection, PgPool};
use xvault::{
    db::{
        job_events,
        jobs::{self, Claimed, Offer, Retry},
        tickets,
    },
    domain::{
        error_code::ErrorCode,
        ids::{JobId, TenantId, WorkerId},
        job::{HeldBy, JobError, JobState},
        job_event::JobEventKind,
    },
    queue::{self, orders, route::WORK},
};

use super::support::{catalogue, postgres::Database, xvault::command};

const LEASE: Duration = Duration::from_secs(60);

async fn claim(conn: &mut PgConnection, worker: &WorkerId) -> Option<Claimed> {
    jobs::claim(conn, &Offer::new(WORK, worker, LEASE)).await.unwrap()
}

/// Backups of sources at one server.
async fn backups_at(conn: &mut PgConnection, tenant: &TenantId, host: &str, count: usize) {
    for _ in 0..count {
        let source = catalogue::source_at(conn, tenant, host).await;
        catalogue::enqueue(conn, &orders::backup(tenant.clone(), source)).await;
    }
}

/// Claims with eight workers at the very same time until none gets anything; how many did.
async fn claim_all(pool: &PgPool, worker: &WorkerId) -> usize {
    let claimers = (0..8).map(|_| {
        let (pool, worker) = (pool.clone(), worker.clone());
        tokio::spawn(async move {
            let mut mine = 0;
            while claim(&mut pool.acquire().await.unwrap(), &worker).await.is_some() {
                mine += 1;
            }
            mine
        })
    });
    let counts = futures::future::join_all(claimers).await;
    counts.into_iter().map(Result::unwrap).sum()
}

fn admin(database: &Database, arguments: &[&str]) -> String {
    let url = [("XVAULT_DATABASE_URL", database.url.expose_secret().to_owned())];
    let output = command(&[&["admin", "limits"], arguments].concat(), &url).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn held_by(conn: &mut PgConnection, tenant: &TenantId) -> Vec<HeldBy> {
    let ids: Vec<_> = sqlx::query_scalar("select id from jobs where tenant_id = $1 and state = 'queued'")
        .bind(tenant)
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    let held = jobs::held_back(conn, tenant, &ids).await.unwrap();
    held.into_iter().map(|held| held.by).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_gets_no_more_jobs_at_once_than_allowed_however_it_is_written() {
    let database = Database::new().await;
    let pool = database.pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let worker = catalogue::worker(&mut conn).await;
    let (one, two) = (catalogue::tenant(&mut conn).await, catalogue::tenant(&mut conn).await);
    backups_at(&mut conn, &one, "Shared.Example", 10).await;
    backups_at(&mut conn, &two, "shared.example", 10).await;
    backups_at(&mut conn, &two, "other.example", 1).await;
    assert_eq!(
        claim_all(&pool, &worker).await,
        4 + 1,
        "four at one server, and the other one"
    );
    assert_eq!(held_by(&mut conn, &one).await.first(), Some(&HeldBy::HostLimit));
    let grace = Duration::ZERO;
    sqlx::query("delete from apalis.jobs")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(
        tickets::shortages(&mut conn, grace, 10).await.unwrap(),
        [],
        "nobody could use a ticket"
    );
    assert!(admin(&database, &["--per-host", "6"]).contains("per host: 6"));
    assert_eq!(claim_all(&pool, &worker).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_gets_what_the_operator_allows_and_another_one_its_own() {
    let database = Database::new().await;
    let pool = database.pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let worker = catalogue::worker(&mut conn).await;
    let (one, special) = (catalogue::tenant(&mut conn).await, catalogue::tenant(&mut conn).await);
    for tenant in [&one, &special] {
        for _ in 0..12 {
            catalogue::backup(&mut conn, tenant).await;
        }
    }
    admin(
        &database,
        &["--per-tenant", "3", "--tenant", special.as_str(), "--jobs", "5"],
    );
    assert_eq!(claim_all(&pool, &worker).await, 3 + 5);
    assert_eq!(held_by(&mut conn, &one).await, [HeldBy::TenantLimit; 9]);
    let shown = admin(&database, &["--tenant", special.as_str(), "--jobs", "default"]);
    assert!(
        shown.contains("per tenant: 3") && !shown.contains(special.as_str()),
        "{shown}"
    );
    admin(&database, &["--per-tenant", "none"]);
    assert_eq!(claim_all(&pool, &worker).await, 24 - 8);
}

#[tokio::test]
async fn a_busy_server_is_left_alone_and_then_visited_by_one_at_a_time() {
    let database = Database::new().await;
    let mut conn = database.pool().await.acquire().await.unwrap();
    let (tenant, worker) = (catalogue::tenant(&mut conn).await, catalogue::worker(&mut conn).await);
    backups_at(&mut conn, &tenant, "busy.example", 3).await;
    let first = claim(&mut conn, &worker).await.unwrap();
    let busy = JobError::new(
        ErrorCode::SourceBusy,
        "busy.example:22 has too many logins in progress",
        "",
    );
    let pause = Retry::after(Duration::from_secs(600));
    queue::fail(&mut conn, &first.lease, &busy, &pause).await.unwrap();
    assert!(claim(&mut conn, &worker).await.is_none(), "the others wait as well");
    assert_eq!(
        held_by(&mut conn, &tenant).await,
        [HeldBy::HostBusy; 2],
        "the third waits for its time"
    );

    sqlx::query("update busy_hosts set hold_until = now()")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert!(claim(&mut conn, &worker).await.is_some());
    assert!(claim(&mut conn, &worker).await.is_none(), "one at a time");
    sqlx::query("update busy_hosts set busy_at = now() - interval '16 minutes'")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert!(claim(&mut conn, &worker).await.is_some());
}

#[tokio::test]
async fn five_tries_at_a_busy_server_cost_one_attempt() {
    let database = Database::new().await;
    let mut conn = database.pool().await.acquire().await.unwrap();
    let (tenant, worker) = (catalogue::tenant(&mut conn).await, catalogue::worker(&mut conn).await);
    let id = catalogue::backup(&mut conn, &tenant).await.id;
    let busy = JobError::new(ErrorCode::SourceBusy, "it has too many logins in progress", "");
    let mut tries = 0;
    while let Some(claimed) = claim(&mut conn, &worker).await {
        tries += 1;
        queue::fail(&mut conn, &claimed.lease, &busy, &Retry::after(Duration::ZERO))
            .await
            .unwrap();
        sqlx::query("delete from busy_hosts").execute(&mut *conn).await.unwrap();
    }
    let job = jobs::get(&mut conn, &tenant, &id).await.unwrap().unwrap();
    assert_eq!((tries, job.state), (3 * 5, JobState::Failed), "of three attempts");
    assert_eq!((job.attempt, job.max_attempts), (15, 15));
    let history = events(&mut conn, &tenant, &id).await;
    let failed: Vec<_> = history
        .iter()
        .filter(|event| event.1 == Some(ErrorCode::SourceBusy))
        .collect();
    assert_eq!(failed.len(), 15, "each attempt says why it failed: {history:?}");
    assert_eq!(history.last().map(|event| event.0), Some(JobEventKind::Failed));
}

async fn events(conn: &mut PgConnection, tenant: &TenantId, id: &JobId) -> Vec<(JobEventKind, Option<ErrorCode>)> {
    let events = job_events::list(conn, tenant, id, 0).await.unwrap();
    events.into_iter().map(|event| (event.kind, event.error_code)).collect()
}

#[tokio::test]
async fn a_backup_that_did_not_fit_waits_for_a_worker_with_more_room() {
    let database = Database::new().await;
    let mut conn = database.pool().await.acquire().await.unwrap();
    let (tenant, worker) = (catalogue::tenant(&mut conn).await, catalogue::worker(&mut conn).await);
    let id = catalogue::backup(&mut conn, &tenant).await.id;
    let claimed = claim(&mut conn, &worker).await.unwrap();
    let full = JobError::new(ErrorCode::StorageFull, "no space left", "");
    let elsewhere = Retry {
        after: Duration::ZERO,
        needs_free_bytes: Some(1000),
    };
    queue::fail(&mut conn, &claimed.lease, &full, &elsewhere).await.unwrap();
    let with_free = |bytes| Offer {
        free_bytes: Some(bytes),
        ..Offer::new(WORK, &worker, LEASE)
    };
    assert!(jobs::claim(&mut conn, &with_free(999)).await.unwrap().is_none());
    assert!(
        jobs::has_due_for_others(&mut conn, &with_free(999)).await.unwrap(),
        "the permit is passed on"
    );
    assert_eq!(held_by(&mut conn, &tenant).await, [HeldBy::StorageFull]);
    sqlx::query("update workers set storage_free_bytes = 1000")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(held_by(&mut conn, &tenant).await, [], "there is one with more room");
    let claimed = jobs::claim(&mut conn, &with_free(1000)).await.unwrap().unwrap();
    assert_eq!((claimed.job.id, claimed.job.attempt), (id, 2));
}
