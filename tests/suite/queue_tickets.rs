//! Tickets: lost ones come back, doubled ones do no harm, and a busy worker takes none.

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;
use xvault::{
    db::{
        jobs::{self, Offer},
        tickets,
    },
    domain::ids::{JobId, WorkerId},
    queue::{self, Consumer, Wakeups, route::WORK},
};

use super::support::{
    catalogue,
    eventually::{SOON, eventually},
    postgres::{Database, Server},
};

/// A worker that claims with each ticket and does its jobs when it is told to.
struct Claimer {
    claimed: Arc<Mutex<Vec<JobId>>>,
    go: Arc<Notify>,
    stop: CancellationToken,
    consumer: tokio::task::JoinHandle<()>,
}

impl Claimer {
    fn start(pool: &PgPool, worker: &WorkerId, name: &str, concurrency: usize) -> Self {
        let (claimed, go, stop) = (
            Arc::<Mutex<Vec<_>>>::default(),
            Arc::new(Notify::new()),
            CancellationToken::new(),
        );
        let consumer = Consumer {
            queue: WORK.into(),
            name: name.into(),
            concurrency,
            silences: xvault::db::Silences::default(),
            // Polling must do.
            wakeups: Wakeups::new([]),
        };
        let (list, gate, worker, own) = (claimed.clone(), go.clone(), worker.clone(), pool.clone());
        let run = consumer.run(pool.clone(), stop.clone(), move || {
            let (list, gate, worker, pool) = (list.clone(), gate.clone(), worker.clone(), own.clone());
            async move {
                let mut conn = pool.acquire().await.unwrap();
                let offer = Offer::new(WORK, &worker, Duration::from_secs(60));
                let found = jobs::claim(&mut conn, &offer).await.unwrap();
                drop(conn);
                if let Some(found) = found {
                    list.lock().await.push(found.job.id);
                    gate.notified().await;
                }
            }
        });
        Self {
            claimed,
            go,
            stop,
            consumer: tokio::spawn(run),
        }
    }

    async fn count(&self) -> usize {
        self.claimed.lock().await.len()
    }

    async fn end(self) {
        self.stop.cancel();
        self.go.notify_waiters();
        self.consumer.await.unwrap();
    }
}

async fn waiting(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from apalis.jobs where status = 'Pending'")
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn doubled_tickets_do_no_harm() {
    let database = Database::new().await;
    let pool = database.pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let (tenant, worker) = (catalogue::tenant(&mut conn).await, catalogue::worker(&mut conn).await);
    let mut ordered = Vec::new();
    for _ in 0..3 {
        ordered.push(catalogue::backup(&mut conn, &tenant).await.id);
    }
    queue::push_at(&mut conn, WORK, chrono::Utc::now(), 7).await.unwrap();
    let claimer = Claimer::start(&pool, &worker, "a", 4);
    eventually("all tickets are used", SOON, async || waiting(&pool).await == 0).await;
    eventually("three jobs run", SOON, async || claimer.count().await == 3).await;
    let mut claimed = claimer.claimed.lock().await.clone();
    claimed.sort();
    assert_eq!(claimed, ordered);
    claimer.end().await;
}

#[tokio::test]
async fn lost_tickets_are_put_back_for_overdue_jobs_only() {
    let database = Database::new().await;
    let pool = database.pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let tenant = catalogue::tenant(&mut conn).await;
    for _ in 0..3 {
        catalogue::backup(&mut conn, &tenant).await;
    }
    let grace = Duration::from_secs(30);
    sqlx::query("delete from apalis.jobs")
        .execute(&mut *conn)
        .await
        .unwrap();
    assert_eq!(tickets::shortages(&mut conn, grace, 10).await.unwrap(), []);
    sqlx::query("update jobs set run_at = now() - interval '1 minute'")
        .execute(&mut *conn)
        .await
        .unwrap();
    queue::push_now(&mut conn, WORK).await.unwrap();
    // apalis keeps whole seconds, so the fresh ticket is good by now.
    let found = tickets::shortages(&mut conn, grace, 10).await.unwrap();
    assert_eq!((found[0].queue.as_str(), found[0].missing), (WORK, 2));
}

#[tokio::test]
async fn a_busy_worker_leaves_the_tickets_to_others() {
    let database = Database::new().await;
    let pool = database.pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let (tenant, worker) = (catalogue::tenant(&mut conn).await, catalogue::worker(&mut conn).await);
    let busy = Claimer::start(&pool, &worker, "busy", 1);
    catalogue::backup(&mut conn, &tenant).await;
    eventually("it is busy", SOON, async || busy.count().await == 1).await;
    catalogue::backup(&mut conn, &tenant).await;
    let idle = Claimer::start(&pool, &worker, "idle", 1);
    eventually("the other one takes the second job", SOON, async || {
        idle.count().await == 1
    })
    .await;
    assert_eq!(busy.count().await, 1);
    busy.end().await;
    idle.end().await;
}

#[tokio::test]
async fn a_consumer_outlives_a_restart_of_the_database() {
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let database = server.database().await;
    let pool = database.pool().await;
    let mut conn = pool.acquire().await.unwrap();
    let (tenant, worker) = (catalogue::tenant(&mut conn).await, catalogue::worker(&mut conn).await);
    let claimer = Claimer::start(&pool, &worker, "a", 2);
    catalogue::backup(&mut conn, &tenant).await;
    eventually("it consumes", SOON, async || claimer.count().await == 1).await;
    drop(conn);
    server = tokio::task::spawn_blocking(move || {
        server.kill();
        server.resume();
        server
    })
    .await
    .unwrap();
    let mut conn = pool.acquire().await.unwrap();
    catalogue::backup(&mut conn, &tenant).await;
    eventually("it consumes again", SOON, async || claimer.count().await == 2).await;
    claimer.end().await;
    drop((conn, pool, database));
    drop(server);
}
