//! Which jobs changed just now: one listening connection per hub process, heard by many.
//!
//! Only a hint: whoever waits reads the database again. After a lost connection everybody is told to look,
//! because notifications may have been missed.

use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{
    db::notices::{self, Heard, Topic},
    domain::ids::JobId,
};

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
        let listening = notices::listen(&pool, Topic::Job, |heard| match heard {
            Heard::Anything => self.tell(Change::Anything),
            Heard::Notice(id) => match id.parse() {
                Ok(job) => self.tell(Change::Job(job)),
                Err(_) => tracing::warn!(payload = id, "a notice names no job"),
            },
        });
        stop.run_until_cancelled(listening).await;
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
    use std::time::Duration;

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
