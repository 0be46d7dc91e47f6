//! Which jobs changed just now: one listening connection per hub process, heard by many.
//!
//! Only a hint: whoever waits reads the database again. After a lost connection everybody is told to look,
//! because notifications may have been missed.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{
    db::{self, DbError},
    domain::ids::JobId,
};

/// The channel that every change of a job is announced on.
const CHANNEL: &str = "xvault_job";

/// Pause before a lost connection is made again.
const RECONNECT: Duration = Duration::from_secs(1);

/// How long nothing may be heard before the connection has to show that it still works.
const QUIET: Duration = Duration::from_secs(15);

/// Changes that may wait for a slow listener before it is told to look at everything.
const BACKLOG: usize = 1024;

/// A hint that something changed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Job(JobId),
    Anything,
}

/// Tells of changed jobs. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Live {
    changes: broadcast::Sender<Change>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            changes: broadcast::channel(BACKLOG).0,
        }
    }
}

impl Live {
    /// Listens until `stop` fires.
    pub async fn run(self, pool: sqlx::PgPool, stop: CancellationToken) {
        let listening = async {
            loop {
                if let Err(error) = self.listen(&pool).await {
                    tracing::warn!(%error, "live updates are interrupted");
                }
                tokio::time::sleep(RECONNECT).await;
            }
        };
        stop.run_until_cancelled(listening).await;
    }

    async fn listen(&self, pool: &sqlx::PgPool) -> Result<(), DbError> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        self.tell(Change::Anything);
        // `try_recv` reconnects by itself and answers `None` after it lost the connection.
        loop {
            let Ok(heard) = tokio::time::timeout(QUIET, listener.try_recv()).await else {
                // Listening again changes nothing, but a broken connection does not answer.
                db::answered(async { Ok(listener.listen(CHANNEL).await?) }).await?;
                continue;
            };
            match heard? {
                Some(note) => match note.payload().parse() {
                    Ok(job) => self.tell(Change::Job(job)),
                    Err(_) => tracing::warn!(payload = note.payload(), "a notification names no job"),
                },
                None => self.tell(Change::Anything),
            }
        }
    }

    fn tell(&self, change: Change) {
        // Fails only if nobody listens, which is fine.
        let _ = self.changes.send(change);
    }

    /// Hears of changes of `job`, or of every job, from now on.
    pub fn watch(&self, job: Option<JobId>) -> Watch {
        Watch {
            changes: self.changes.subscribe(),
            job,
        }
    }
}

/// Somebody who waits for changes.
#[derive(Debug)]
pub struct Watch {
    changes: broadcast::Receiver<Change>,
    job: Option<JobId>,
}

impl Watch {
    /// Returns when there may be something new. Changes between two calls are not missed.
    pub async fn changed(&mut self) {
        loop {
            match self.changes.recv().await {
                Ok(Change::Job(id)) if self.job.as_ref().is_some_and(|job| *job != id) => {}
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                // The sender lives as long as the hub; if it is gone, the process is about to end.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watch_hears_its_job_and_everything() {
        let (live, mine) = (Live::default(), JobId::generate());
        let mut watch = live.watch(Some(mine.clone()));
        live.tell(Change::Job(JobId::generate()));
        assert!(
            tokio::time::timeout(Duration::from_millis(20), watch.changed())
                .await
                .is_err()
        );
        for change in [Change::Job(mine), Change::Anything] {
            live.tell(change);
            watch.changed().await;
        }
    }
}
