//! Telling other processes that something changed, so that they look at once and not at their next poll.
//!
//! A notice is never sent by a transaction that writes. PostgreSQL lets one transaction with a `NOTIFY` commit at a
//! time, and holds that lock until its commit is on disk: with a notice in every order and report the whole fleet
//! would be as fast as one disk flush after another. So notices are collected while a transaction goes on
//! ([`Transaction`]) and leave after its commit, many in one statement, which has nothing to flush.
//!
//! A notice may be lost with the process that owes it. Whoever listens polls as well.

use std::{
    collections::BTreeSet,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{PgConnection, PgPool, postgres::PgListener};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{DbError, Kept, answered};
use crate::domain::ids::JobId;

/// Notices that wait at most, when the database is away: those who listen find out by themselves then.
const MOST: usize = 10_000;

/// Pause before notices that did not get through are sent again, or a lost listening connection is made again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long nothing may be heard before a listening connection has to show that it still works.
const QUIET: Duration = Duration::from_secs(15);

/// What a notice is about; decides the channel it is sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// A job changed; the payload is its id.
    Job,
    /// A queue got work that is due; the payload is its name.
    Work,
}

impl Topic {
    fn channel(self) -> &'static str {
        match self {
            Self::Job => "xvault_job",
            Self::Work => "xvault_work",
        }
    }
}

type Notice = (Topic, String);

/// The notices that a process owes. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Notifier {
    owed: Arc<Mutex<BTreeSet<Notice>>>,
    more: Arc<Notify>,
}

impl Notifier {
    /// A job changed, and that is committed.
    pub fn job(&self, id: &JobId) {
        self.owe([(Topic::Job, id.to_string())]);
    }

    /// A queue got work, and that is committed.
    pub fn work(&self, queue: &str) {
        self.owe([(Topic::Work, queue.to_owned())]);
    }

    fn owe(&self, notices: impl IntoIterator<Item = Notice>) {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        for notice in notices {
            if owed.len() < MOST {
                owed.insert(notice);
            }
        }
        drop(owed);
        self.more.notify_one();
    }

    /// Sends notices until `stop` fires, and what is owed then.
    pub async fn run(self, pool: PgPool, stop: CancellationToken) {
        let mut kept = Kept::of(pool);
        while stop.run_until_cancelled(self.more.notified()).await.is_some() {
            if let Err(error) = self.send_on(&mut kept).await {
                tracing::debug!(%error, "notices did not get through; trying again");
                stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
            }
        }
        if let Err(error) = self.send_on(&mut kept).await {
            tracing::debug!(%error, "the last notices did not get through");
        }
    }

    /// Sends what is owed now; keeps it if that fails.
    pub async fn send(&self, pool: &PgPool) -> Result<(), DbError> {
        self.send_on(&mut Kept::of(pool.clone())).await
    }

    async fn send_on(&self, kept: &mut Kept) -> Result<(), DbError> {
        let notices = std::mem::take(&mut *self.owed.lock().unwrap_or_else(PoisonError::into_inner));
        if notices.is_empty() {
            return Ok(());
        }
        let (channels, payloads): (Vec<_>, Vec<_>) = notices
            .iter()
            .map(|(topic, payload)| (topic.channel(), payload))
            .unzip();
        let sending = async {
            let mut conn = kept.take().await?;
            sqlx::query(
                "select pg_notify(channel, payload) from unnest($1::text[], $2::text[]) as n (channel, payload)",
            )
            .bind(channels)
            .bind(payloads)
            .execute(&mut *conn)
            .await?;
            kept.keep(conn);
            Ok(())
        };
        let sent = answered(sending).await;
        if sent.is_err() {
            self.owe(notices);
        }
        sent
    }
}

/// A transaction that knows what it owes notices of. Rolled back unless it is committed.
#[derive(Debug)]
pub struct Transaction {
    inner: sqlx::Transaction<'static, sqlx::Postgres>,
    owed: Vec<Notice>,
}

impl Transaction {
    /// Begins one on a connection of the pool.
    pub async fn begin(pool: &PgPool) -> Result<Self, DbError> {
        Ok(Self {
            inner: pool.begin().await?,
            owed: Vec::new(),
        })
    }

    /// Notes that it changed a job.
    pub fn changed_job(&mut self, id: &JobId) {
        self.owed.push((Topic::Job, id.to_string()));
    }

    /// Notes that it put a ticket into a queue that is good at once.
    pub fn added_work(&mut self, queue: &str) {
        self.owed.push((Topic::Work, queue.to_owned()));
    }

    /// Makes what it did last, and leaves its notices with `notifier`.
    pub async fn commit(self, notifier: &Notifier) -> Result<(), DbError> {
        self.inner.commit().await?;
        notifier.owe(self.owed);
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

/// What a listener hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// A notice with this payload.
    Notice(&'a str),
    /// Notices may have been missed: the connection is new.
    Anything,
}

/// Listens to a topic on one connection of its own until the future is dropped. A connection that was lost
/// is made again.
pub async fn listen(pool: &PgPool, topic: Topic, mut hear: impl FnMut(Heard<'_>)) -> std::convert::Infallible {
    loop {
        if let Err(error) = listen_once(pool, topic, &mut hear).await {
            tracing::warn!(%error, channel = topic.channel(), "not listening to the database just now");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen_once(pool: &PgPool, topic: Topic, hear: &mut impl FnMut(Heard<'_>)) -> Result<(), DbError> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(topic.channel()).await?;
    hear(Heard::Anything);
    // `try_recv` reconnects by itself and answers `None` after it lost the connection.
    loop {
        let Ok(heard) = tokio::time::timeout(QUIET, listener.try_recv()).await else {
            // Listening again changes nothing, but a broken connection does not answer.
            answered(async { Ok(listener.listen(topic.channel()).await?) }).await?;
            continue;
        };
        match heard? {
            Some(note) => hear(Heard::Notice(note.payload())),
            None => hear(Heard::Anything),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_twice_is_sent_once_and_a_long_absence_costs_no_memory() {
        let notifier = Notifier::default();
        let job = JobId::generate();
        for _ in 0..3 {
            notifier.job(&job);
            notifier.work("work");
        }
        assert_eq!(notifier.owed.lock().unwrap().len(), 2);
        for _ in 0..MOST + 10 {
            notifier.job(&JobId::generate());
        }
        assert_eq!(notifier.owed.lock().unwrap().len(), MOST);
    }
}
