//! Which queues got work just now: one listening connection per process, heard by all its consumers.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use sqlx::PgPool;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

use crate::db::notices::{self, Heard, Topic};

/// Wakes consumers. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Wakeups {
    bells: Arc<HashMap<String, watch::Sender<()>>>,
}

impl Wakeups {
    /// For consumers of these queues.
    pub fn new(queues: impl IntoIterator<Item = String>) -> Self {
        let bells = queues.into_iter().map(|queue| (queue, watch::Sender::new(())));
        Self {
            bells: Arc::new(bells.collect()),
        }
    }

    /// Listens until the future is dropped.
    pub async fn run(&self, pool: &PgPool) -> Infallible {
        notices::listen(pool, Topic::Work, |heard| match heard {
            Heard::Notice(queue) => {
                if let Some(bell) = self.bells.get(queue) {
                    bell.send_replace(());
                }
            }
            Heard::Anything => self.bells.values().for_each(|bell| {
                bell.send_replace(());
            }),
        })
        .await
    }

    /// An item whenever the queue got work; several that nobody took are one. Of a queue that was not named to
    /// [`Self::new`], none.
    pub(super) fn of(&self, queue: &str) -> WatchStream<()> {
        let bell = self.bells.get(queue).map(watch::Sender::subscribe);
        WatchStream::from_changes(bell.unwrap_or_else(|| watch::channel(()).1))
    }
}
