//! Ordering and claiming: what `db::jobs` and `queue` promise about who gets which job.

use std::{collections::HashSet, time::Duration};

use sqlx::{Acquire, PgConnection};
use xvault::{
    db::jobs::{self, Offer},
    domain::{
        ids::{JobId, WorkerId},
        job::JobState,
    },
    queue::{self, EnqueueError, orders, route::WORK},
};

use super::support::{catalogue, postgres::Database};

const LEASE: Duration = Duration::from_secs(60);

async fn claim(conn: &mut PgConnection, worker: &WorkerId) -> Option<JobId> {
    let claimed = jobs::claim(conn, &Offer::new(WORK, worker, LEASE)).await.unwrap();
    claimed.map(|claimed| claimed.job.id)
}

async fn tickets(conn: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from apalis.jobs")
        .fetch_one(conn)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_rolled_back_order_leaves_neither_job_nor_ticket() {
    let database = Database::new().await;
    let mut conn = database.pool().await.acquire().await.unwrap();
    let tenant = catalogue::tenant(&mut conn).await;
    let source = catalogue::source(&mut conn, &tenant).await;
    let mut tx = conn.begin().await.unwrap();
    let job = catalogue::enqueue(&mut tx, &orders::backup(tenant.clone(), source.clone())).await;
    tx.rollback().await.unwrap();
    assert!(jobs::get(&mut conn, &tenant, &job.id).await.unwrap().is_none());
    assert_eq!(tickets(&mut conn).await, 0);
    catalogue::enqueue(&mut conn, &orders::backup(tenant, source)).await;
    assert_eq!(tickets(&mut conn).await, 1);
}

#[tokio::test]
async fn a_second_backup_of_a_source_is_refused_and_names_the_first() {
    let database = Database::new().await;
    let mut conn = database.pool().await.acquire().await.unwrap();
    let tenant = catalogue::tenant(&mut conn).await;
    let source = catalogue::source(&mut conn, &tenant).await;
    let order = || orders::backup(tenant.clone(), source.clone());
    let first = catalogue::enqueue(&mut conn, &order()).await;

    let mut tx = conn.begin().await.unwrap();
    match queue::enqueue(&mut tx, &order()).await {
        Err(EnqueueError::ActiveBackup(id)) => assert_eq!(id, first.id),
        other => panic!("{other:?}"),
    }
    // The caller's transaction goes on, and other kinds are not in the way.
    catalogue::enqueue(&mut tx, &orders::probe(tenant.clone(), source.clone())).await;
    tx.commit().await.unwrap();

    jobs::request_cancel(&mut conn, &tenant, &first.id).await.unwrap();
    catalogue::enqueue(&mut conn, &order()).await;
}

#[tokio::test]
async fn the_tenant_with_the_fewest_running_jobs_is_served_first() {
    let database = Database::new().await;
    let mut conn = database.pool().await.acquire().await.unwrap();
    let worker = catalogue::worker(&mut conn).await;
    let (busy, quiet) = (catalogue::tenant(&mut conn).await, catalogue::tenant(&mut conn).await);
    let mut of_busy = Vec::new();
    for _ in 0..5 {
        of_busy.push(catalogue::backup(&mut conn, &busy).await.id);
    }
    assert_eq!(claim(&mut conn, &worker).await, Some(of_busy[0].clone()));
    let late = catalogue::backup(&mut conn, &quiet).await.id;
    assert_eq!(claim(&mut conn, &worker).await, Some(late), "one running against none");
    assert_eq!(claim(&mut conn, &worker).await, Some(of_busy[1].clone()), "then by age");
}

#[tokio::test]
async fn what_a_person_waits_for_goes_before_what_a_schedule_ordered() {
    let database = Database::new().await;
    let mut conn = database.pool().await.acquire().await.unwrap();
    let worker = catalogue::worker(&mut conn).await;
    let tenant = catalogue::tenant(&mut conn).await;
    let source = catalogue::source(&mut conn, &tenant).await;
    let mut scheduled = orders::backup(tenant.clone(), source.clone());
    scheduled.priority = orders::SCHEDULED;
    let scheduled = catalogue::enqueue(&mut conn, &scheduled).await.id;
    let mut later = orders::probe(tenant.clone(), source.clone());
    later.run_at = Some(chrono::Utc::now() + chrono::TimeDelta::hours(1));
    catalogue::enqueue(&mut conn, &later).await;
    let asked_for = catalogue::enqueue(&mut conn, &orders::probe(tenant, source)).await.id;
    assert_eq!(claim(&mut conn, &worker).await, Some(asked_for));
    assert_eq!(claim(&mut conn, &worker).await, Some(scheduled));
    assert_eq!(claim(&mut conn, &worker).await, None, "not due yet");
}

#[tokio::test]
async fn a_worker_without_space_gets_other_jobs_than_backups() {
    let database = Database::new().await;
    let mut conn = database.pool().await.acquire().await.unwrap();
    let worker = catalogue::worker(&mut conn).await;
    let tenant = catalogue::tenant(&mut conn).await;
    catalogue::backup(&mut conn, &tenant).await;
    let source = catalogue::source(&mut conn, &tenant).await;
    let probe = catalogue::enqueue(&mut conn, &orders::probe(tenant, source)).await.id;
    let short = Offer {
        backups: false,
        ..Offer::new(WORK, &worker, LEASE)
    };
    let claimed = jobs::claim(&mut conn, &short).await.unwrap();
    assert_eq!(claimed.map(|claimed| claimed.job.id), Some(probe));
    assert!(jobs::claim(&mut conn, &short).await.unwrap().is_none());
    assert!(jobs::has_due_for_others(&mut conn, &short).await.unwrap());
}

#[tokio::test]
async fn no_two_claimers_get_the_same_job_and_none_is_left() {
    const JOBS: usize = 40;
    let database = Database::new().await;
    let pool = database.pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let worker = catalogue::worker(&mut conn).await;
    for _ in 0..4 {
        let tenant = catalogue::tenant(&mut conn).await;
        for _ in 0..JOBS / 4 {
            catalogue::backup(&mut conn, &tenant).await;
        }
    }
    let claimers = (0..8).map(|_| {
        let (pool, worker) = (pool.clone(), worker.clone());
        tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                match claim(&mut pool.acquire().await.unwrap(), &worker).await {
                    Some(id) => mine.push(id),
                    None => return mine,
                }
            }
        })
    });
    let all: Vec<JobId> = futures::future::join_all(claimers)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    assert_eq!(all.len(), JOBS);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), JOBS);
    let queued: i64 = sqlx::query_scalar("select count(*) from jobs where state = $1")
        .bind(JobState::Queued)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(queued, 0);
}
