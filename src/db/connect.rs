//! Connections that may break without anybody being told: a cut network sends no farewell, and TCP by itself
//! waits a quarter of an hour for an answer, or for ever where nothing was asked.

use std::{sync::Arc, time::Duration};

use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};
use tokio::sync::watch;

use super::DbError;

/// How long a statement, or a short transaction, may go without an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// How often to ask whether the server is busy with something of ours.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long a connection that comes from or goes to the pool may take to show that it works.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// A connection that was used this short a time ago is not asked for a sign of life: no server restarts so fast.
const FRESH: Duration = Duration::from_millis(50);

/// What the server does for us when it is we who vanish: without it, the locks of a transaction that lost its
/// client are held for hours, and nobody can take over the job they protect. No transaction of ours is idle for
/// as long as this.
const SESSION: [(&str, &str); 5] = [
    ("idle_in_transaction_session_timeout", "15s"),
    ("tcp_keepalives_idle", "30s"),
    ("tcp_keepalives_interval", "10s"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "60s"),
];

/// Tells when a connection of a pool turned out to be broken without a word: others may be as well, and whoever
/// waits for an answer on one of those waits in vain. The default never tells anything.
#[derive(Debug, Clone)]
pub struct Silences {
    found: watch::Receiver<u64>,
}

impl Default for Silences {
    fn default() -> Self {
        Self {
            found: watch::channel(0).1,
        }
    }
}

impl Silences {
    /// Returns when one is found from now on.
    pub async fn next(&self) {
        let mut found = self.found.clone();
        found.mark_unchanged();
        if found.changed().await.is_err() {
            // The pool is gone, or there never was one.
            std::future::pending().await
        }
    }
}

/// Opens a pool of at most `max_connections`; connects on first use, so a database that is still
/// starting is no error here. Broken connections are found when they are taken, and thrown away.
pub fn pool(url: &str, max_connections: u32) -> Result<PgPool, DbError> {
    watched(url, max_connections, None).map(|(pool, _)| pool)
}

/// A pool for tickets alone, and the news of its connections. What becomes of one is not flushed to disk: should the server crash in that moment,
/// it is there again or gone, and both do no harm.
pub fn ticket_pool(url: &str, max_connections: u32) -> Result<(PgPool, Silences), DbError> {
    watched(url, max_connections, Some(("synchronous_commit", "off")))
}

fn watched(
    url: &str,
    max_connections: u32,
    also: Option<(&'static str, &'static str)>,
) -> Result<(PgPool, Silences), DbError> {
    let options: PgConnectOptions = url.parse().map_err(DbError::Url)?;
    let (taken, found) = watch::channel(0);
    let taken = Arc::new(taken);
    let returned = Arc::clone(&taken);
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ANSWER)
        // Its own test waits for ever.
        .test_before_acquire(false)
        .before_acquire(move |conn, state| {
            let found = Arc::clone(&taken);
            Box::pin(async move {
                match state.idle_for < FRESH {
                    true => Ok(true),
                    false => sign_of_life(conn, &found).await,
                }
            })
        })
        // So is what comes back in the middle of a statement that nobody waits for any more.
        .after_release(move |conn, _| {
            let found = Arc::clone(&returned);
            Box::pin(async move { sign_of_life(conn, &found).await })
        })
        .connect_lazy_with(
            options
                .application_name("xvault")
                .options(SESSION.into_iter().chain(also)),
        );
    Ok((pool, Silences { found }))
}

async fn sign_of_life(conn: &mut PgConnection, found: &watch::Sender<u64>) -> sqlx::Result<bool> {
    match tokio::time::timeout(SIGN_OF_LIFE, conn.ping()).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => {
            found.send_modify(|found| *found += 1);
            Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into())
        }
    }
}

/// Does what may take as long as it needs, such as a migration, on a pool of its own, as long as the server is busy with it.
/// When the server has had nothing to do for it for a while, its answer was lost on the way: [`DbError::Silent`].
pub async fn while_busy<T, E, F>(pool: &PgPool, work: impl FnOnce(PgPool) -> F) -> Result<T, E>
where
    E: From<DbError>,
    F: Future<Output = Result<T, E>>,
{
    // What the server knows its connections by.
    let name = format!("xvault {}", uuid::Uuid::new_v4().simple());
    let own = PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(ANSWER)
        .connect_lazy_with(pool.connect_options().as_ref().clone().application_name(&name));
    tokio::select! {
        done = work(own) => done,
        error = idle(pool, &name) => Err(error.into()),
    }
}

/// Returns when the server has had nothing to do for connections with this name, or cannot be asked. It is told to end
/// them then, because the locks they hold are in the way of the next try.
async fn idle(pool: &PgPool, name: &str) -> DbError {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let asked = sqlx::query_scalar(
            "select exists (select from pg_stat_activity where application_name = $1 \
                 and (state = 'active' or state_change > now() - make_interval(secs => $2)))",
        )
        .bind(name)
        .bind(ANSWER.as_secs_f64());
        match answered(async { Ok(asked.fetch_one(pool).await?) }).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return error,
        }
    }
    let end =
        sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1").bind(name);
    match answered(async { Ok(end.execute(pool).await?) }).await {
        Ok(_) => DbError::Silent(ANSWER),
        Err(error) => error,
    }
}

/// The answer of the database, or [`DbError::Silent`] when it takes too long; what was under way is then
/// rolled back, unless it was a commit that arrived.
pub async fn answered<T>(asking: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    let answer = tokio::time::timeout(ANSWER, asking).await;
    answer.unwrap_or(Err(DbError::Silent(ANSWER)))
}
