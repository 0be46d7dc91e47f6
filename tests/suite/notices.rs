//! Whoever listens hears of orders and of what becomes of them, and only once that is committed.

use std::time::Duration;

use sqlx::postgres::PgListener;
use xvault::db::notices::{self, Heard, Topic};

use super::support::{eventually::eventually_some, site::Site};

/// Shorter than the second after which a worker would look by itself.
const AT_ONCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_order_is_heard_by_workers_and_its_end_by_watchers() {
    let site = Site::start().await;
    std::fs::write(site.sshd.home().join("file"), "content").unwrap();
    let pool = site.stack.database.pool().await;
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen_all(["xvault_job", "xvault_work"]).await.unwrap();
    let job = site.back_up().await;
    let mut heard = Vec::new();
    loop {
        let notice = tokio::time::timeout(AT_ONCE, listener.recv()).await;
        let notice = notice
            .unwrap_or_else(|_| panic!("no notice of the end, only {heard:?}"))
            .unwrap();
        heard.push((notice.channel().to_owned(), notice.payload().to_owned()));
        if heard.last() == Some(&("xvault_job".to_owned(), job.clone())) && site.job(&job).await["state"] == "succeeded"
        {
            break;
        }
    }
    assert!(heard.contains(&("xvault_work".into(), "work".into())), "{heard:?}");
}

#[tokio::test]
async fn a_listener_whose_connection_was_lost_is_told_to_look_at_everything() {
    let site = Site::start().await;
    let pool = site.stack.database.pool().await;
    let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let listening = tokio::spawn({
        let pool = pool.clone();
        async move {
            notices::listen(&pool, Topic::Work, |what| {
                let _ = tell.send(what == Heard::Anything);
            })
            .await
        }
    });
    assert_eq!(heard.recv().await, Some(true), "the connection is new");
    let cut = eventually_some("the listener is cut", AT_ONCE, async || {
        let listeners = "select count(*) from (select pg_terminate_backend(pid) from pg_stat_activity \
             where datname = current_database() and query ilike 'listen%xvault_work%') cut";
        let cut: i64 = sqlx::query_scalar(listeners).fetch_one(&pool).await.unwrap();
        (cut > 0).then_some(cut)
    });
    cut.await;
    assert_eq!(heard.recv().await, Some(true), "notices may have been missed");
    listening.abort();
}
