//! Consuming tickets: an apalis worker per queue, rebuilt whenever it ends for another reason than ours.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use apalis::{layers::WorkerBuilderExt, prelude::*};
use apalis_postgres::{Config, PostgresStorage};
use futures::{FutureExt, future::BoxFuture};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{Wakeups, ticket::Ticket};
use crate::db::Silences;

/// How often a queue is looked at when no notice came.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// Longest pause before a consumer that ended with an error is rebuilt.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Which queue to consume, as whom.
#[derive(Debug, Clone)]
pub struct Consumer {
    /// The queue.
    pub queue: String,
    /// Who asks. Must be fresh for every start of the process: apalis leaves the tickets of a
    /// crashed consumer locked for ever if another one takes its name.
    pub name: String,
    /// Tickets handled at once; a ticket is only taken when there is room for it, so none waits
    /// here while another worker is idle.
    pub concurrency: usize,
    /// News of the pool: after each, the consumer is rebuilt, because its own connection may be broken too.
    pub silences: Silences,
    /// Tells when there is something to take.
    pub wakeups: Wakeups,
}

impl Consumer {
    /// Calls `on_ticket` for each ticket until `stop` fires, then waits for the calls that are under
    /// way. When the database restarts under it, apalis ends and drops the calls' futures: whatever
    /// must go on then has to run in a task of its own. `on_ticket` has no result, because a ticket
    /// is used up however the job ends.
    pub async fn run<F, Fut>(self, pool: PgPool, stop: CancellationToken, on_ticket: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let on_ticket = Arc::new(on_ticket);
        let mut pause = Duration::from_millis(200);
        for build in 0u64.. {
            if stop.is_cancelled() {
                return;
            }
            let started = tokio::time::Instant::now();
            match self.run_once(&pool, build, &stop, on_ticket.clone()).await {
                Ok(()) if stop.is_cancelled() => return,
                Ok(()) => tracing::warn!(queue = self.queue, "the queue's consumer ended; starting it again"),
                Err(error) => tracing::warn!(
                    queue = self.queue,
                    %error,
                    "the queue's consumer failed (database away?); starting it again"
                ),
            }
            if started.elapsed() > LONGEST_PAUSE * 2 {
                pause = Duration::from_millis(200);
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                () = stop.cancelled() => return,
            }
        }
    }

    async fn run_once<F, Fut>(
        &self,
        pool: &PgPool,
        build: u64,
        stop: &CancellationToken,
        on_ticket: Arc<F>,
    ) -> Result<(), WorkerError>
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let (context, mut run) = self.worker(pool, build, on_ticket);
        tokio::select! {
            ended = &mut run => return ended,
            // apalis waits for an answer as long as TCP does: a quarter of an hour.
            () = self.silences.next() => {
                return Err(WorkerError::IoError(std::io::ErrorKind::TimedOut.into()));
            }
            () = stop.cancelled() => {}
        }
        match context.stop() {
            // Calls under way go on in tasks of their own; what is not waited for is only the end of apalis.
            Ok(()) => tokio::select! {
                ended = &mut run => ended,
                () = self.silences.next() => Ok(()),
            },
            // It had not even started.
            Err(_) => Ok(()),
        }
    }

    /// An apalis worker and its run. (Boxed here, where its type is known: inside an `async fn` the
    /// compiler cannot see that it is `Send`.)
    fn worker<F, Fut>(
        &self,
        pool: &PgPool,
        build: u64,
        on_ticket: Arc<F>,
    ) -> (WorkerContext, BoxFuture<'static, Result<(), WorkerError>>)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        // Batches of one: a larger batch would park permits on a busy worker.
        let config = Config::default().queue(&self.queue).batch_size(1);
        let backend = PostgresStorage::<Ticket>::new(pool)
            .with_config(config)
            .poll_with_strategy(
                Strategy::new()
                    .stream(self.wakeups.of(&self.queue))
                    .interval(POLL_EVERY),
            );
        let context = WorkerContext::new(&format!("{}.{build}", self.name));
        let worker = WorkerBuilder::new(&context)
            .backend(backend)
            .concurrency(self.concurrency)
            .build(move |_: Ticket| {
                let handled = on_ticket();
                async move {
                    handled.await;
                    Ok::<(), BoxDynError>(())
                }
            });
        // It panics when it is given a ticket that it is still busy with. That happens when PostgreSQL crashes: tickets are
        // taken without waiting for the disk, so this one may be there to be taken once more. Nothing of the run is looked
        // at after a panic, and what it was busy with goes on in tasks of its own.
        let run = AssertUnwindSafe(worker.run())
            .catch_unwind()
            .map(|ended| ended.unwrap_or_else(|_| Err(WorkerError::IoError(std::io::Error::other("apalis panicked")))));
        (context, run.boxed())
    }
}
