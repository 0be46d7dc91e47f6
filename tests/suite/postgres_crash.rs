//! PostgreSQL is killed, all of it, right after claims. Their commits are not flushed, so it forgets some of them; no job may
//! be lost by that, and none may run twice to effect.

use std::time::Duration;

use sqlx::PgConnection;
use xvault::{
    db::jobs::{self, Claimed, Offer},
    domain::ids::WorkerId,
    queue::route::WORK,
};

use super::support::{
    catalogue,
    eventually::{SOON, eventually},
    postgres::Server,
    sshd::Setup,
    wired::Wired,
};

const JOBS: usize = 20;

async fn claim(conn: &mut PgConnection, worker: &WorkerId) -> Option<Claimed> {
    let offer = Offer::new(WORK, worker, Duration::from_secs(600));
    jobs::claim(conn, &offer).await.unwrap()
}

/// Kills the server and everything it started, and starts it again.
async fn crash(mut server: Server) -> Server {
    let crashed = tokio::task::spawn_blocking(move || {
        server.crash();
        server.resume();
        server
    });
    crashed.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_a_crashed_server_forgot_are_made_again_and_count_once() {
    let server = tokio::task::spawn_blocking(Server::lazy).await.unwrap();
    let database = server.database().await;
    let mut conn = database.pool().await.acquire().await.unwrap();
    let worker = catalogue::worker(&mut conn).await;
    let tenant = catalogue::tenant(&mut conn).await;
    for _ in 0..JOBS {
        catalogue::backup(&mut conn, &tenant).await;
    }
    let mut first = Vec::new();
    while let Some(claimed) = claim(&mut conn, &worker).await {
        first.push(claimed);
    }
    assert_eq!(first.len(), JOBS);
    let server = crash(server).await;

    let mut conn = database.pool().await.acquire().await.unwrap();
    let mut second = Vec::new();
    while let Some(claimed) = claim(&mut conn, &worker).await {
        second.push(claimed);
    }
    assert!(!second.is_empty(), "the server forgot nothing, so this proves nothing");
    for lost in &second {
        assert_eq!(
            lost.job.attempt, 1,
            "the forgotten attempt never was: {:?}",
            lost.job.id
        );
    }
    // Whoever worked on with a lease that was forgotten reports in vain, also before the next one does.
    let forgotten = |claimed: &Claimed| second.iter().any(|again| again.job.id == claimed.job.id);
    for claimed in &first {
        let counts = jobs::finish(&mut conn, &claimed.lease, &catalogue::done())
            .await
            .unwrap();
        assert_eq!(counts, !forgotten(claimed), "{:?}", claimed.job.id);
    }
    for claimed in &second {
        let counts = jobs::finish(&mut conn, &claimed.lease, &catalogue::done())
            .await
            .unwrap();
        assert!(counts, "{:?}", claimed.job.id);
    }
    let ended: i64 = sqlx::query_scalar("select count(*) from job_events where kind = 'succeeded'")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(usize::try_from(ended), Ok(JOBS), "each job has one end");
    drop((conn, database, server));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_claim_was_forgotten_gives_up_and_the_job_is_done_once() {
    let server = tokio::task::spawn_blocking(Server::lazy).await.unwrap();
    let wired = Wired::on(server.database().await, Setup::default(), &[]).await;
    let pool = wired.site.stack.database.pool().await;
    // Nobody flushes anything for the worker: it waits for its brief.
    wired.hub.silence();
    let job = wired.site.back_up().await;
    eventually("it is claimed", SOON, async || {
        sqlx::query_scalar("select state = 'running' from jobs where id = $1")
            .bind(&job)
            .fetch_one(&pool)
            .await
            .unwrap()
    })
    .await;
    let server = crash(server).await;
    wired.hub.mend();
    eventually("the hub has its database again", SOON, async || {
        wired.site.api.get("/api/v1/jobs").await.status.is_success()
    })
    .await;
    wired.survived(&job, 1..=2).await;
    drop((pool, wired, server));
}
