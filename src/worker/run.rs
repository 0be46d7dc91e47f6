//! A worker process from its first to its last breath.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use futures::FutureExt;
use secrecy::ExposeSecret;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    attempt::StopReason,
    brief::HubClient,
    heartbeat,
    identity::{Identity, IdentityError},
    jobs,
    node::{Node, Parts, Work},
    outcome::{Effect, Outcome},
    permit::use_permit,
    reconcile::{self, ReconcileError},
    server,
};
use crate::{
    clock::Clock,
    config::WorkerConfig,
    db::{self, DbError, jobs::Finished, schema::SchemaFit},
    domain::{ids::WorkerId, job::Job},
    queue::{Consumer, Wakeups, route},
    shutdown::Shutdown,
    storage::{StorageError, local_fs::LocalFs},
};

/// How long downloads may go on after the jobs are over.
const DOWNLOADS_GRACE: Duration = Duration::from_secs(5);

/// How long to wait for the database at the start before saying so and trying on.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Why a worker did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// No identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The storage cannot be used.
    #[error("XVAULT_STORAGE_DIR: {0}")]
    Storage(#[from] StorageError),
    /// A directory cannot be used.
    #[error("{path}: {source}")]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else listens there, or we may not.
    #[error("cannot listen on {address} (XVAULT_WORKER_LISTEN): {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The client for the hub.
    #[error("cannot make an HTTP client: {0}")]
    Http(#[from] reqwest::Error),
    /// An operator ended this worker for ever.
    #[error(
        "worker {0} was retired and cannot come back; give this machine a new identity: an empty XVAULT_DATA_DIR \
         and an empty XVAULT_STORAGE_DIR"
    )]
    Retired(WorkerId),
    /// The database's schema is not one that this version may work on.
    #[error("{0}")]
    Schema(SchemaFit),
    /// Our own executable, which ssh needs for passwords.
    #[error("cannot find our own executable: {0}")]
    Executable(io::Error),
}

/// Runs a worker until `shutdown` fires and its jobs are done or handed back.
pub async fn run(config: WorkerConfig, clock: Clock, shutdown: Shutdown) -> Result<(), WorkerError> {
    let work: Work = Arc::new(|node, attempt| jobs::run(node, attempt).boxed());
    run_doing(work, config, clock, shutdown).await
}

/// A worker that does with each job what `handler` says, and reports it as a success. For measuring all that
/// happens around the work.
pub async fn run_handler<F, Fut>(
    handler: F,
    config: WorkerConfig,
    clock: Clock,
    shutdown: Shutdown,
) -> Result<(), WorkerError>
where
    F: Fn(Job) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Finished> + Send + 'static,
{
    let work: Work = Arc::new(move |_, attempt| {
        let handled = handler(attempt.job.clone());
        let done = |end| Outcome {
            end,
            effect: Effect::Nothing,
        };
        async move { Ok(done(handled.await)) }.boxed()
    });
    run_doing(work, config, clock, shutdown).await
}

async fn run_doing(work: Work, config: WorkerConfig, clock: Clock, shutdown: Shutdown) -> Result<(), WorkerError> {
    let identity = Identity::take(&config.data_dir, config.id.as_ref())?;
    let (node, listener) = prepare(work, config, clock, &shutdown, &identity).await?;
    if !first_beat(&node).await? {
        return Ok(());
    }
    tracing::info!(worker = %node.id, listen = %node.config.listen, "worker ready");

    let last_notices = CancellationToken::new();
    let notifying = tokio::spawn(node.notifier.clone().run(node.pool.clone(), last_notices.clone()));
    let mut background = JoinSet::new();
    let stop_serving = CancellationToken::new();
    let serving = tokio::spawn(server::serve(node.clone(), listener, stop_serving.clone()));
    let (beating, comparing) = (node.clone(), node.clone());
    let heart = tokio::spawn(async move { heartbeat::keep_beating(&beating).await });
    background.spawn(async move { reconcile::keep_reconciled(&comparing).await });

    let (consumed, ()) = tokio::join!(consume(&node), hand_back_in_time(&node));
    consumed?;

    stop_serving.cancel();
    // Whoever still downloads comes back with a range when the worker does.
    let _ = tokio::time::timeout(DOWNLOADS_GRACE, serving).await;
    background.shutdown().await;
    heart.abort();
    if let Ok(reason) = heart.await {
        return Err(reason);
    }
    last_notices.cancel();
    let _ = notifying.await;
    if let Err(error) = heartbeat::say_goodbye(&node).await {
        tracing::warn!(%error, "could not say goodbye");
    }
    tracing::info!(worker = %node.id, "worker stopped");
    Ok(())
}

async fn prepare(
    work: Work,
    config: WorkerConfig,
    clock: Clock,
    shutdown: &Shutdown,
    identity: &Identity,
) -> Result<(Arc<Node>, TcpListener), WorkerError> {
    let exports = config.data_dir.join("exports");
    reconcile::prepare_directories(&config.tmp_dir, &exports).map_err(|source| WorkerError::Directory {
        path: config.tmp_dir.clone(),
        source,
    })?;
    let storage = Arc::new(LocalFs::open(&config.storage_dir, identity.id.clone())?);
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| WorkerError::Listen {
            address: config.listen,
            source,
        })?;
    // Claims, renewals and reports of every job, and the rest.
    let connections = u32::try_from(config.concurrency).unwrap_or(256).saturating_mul(2) + 6;
    let pool = db::pool(config.database.url.expose_secret(), connections)?;
    let node = Node::new(Parts {
        id: identity.id.clone(),
        pool,
        clock,
        storage,
        hub: HubClient::new(config.hub_url.clone(), config.token.clone())?,
        askpass: std::env::current_exe().map_err(WorkerError::Executable)?,
        stopping: shutdown.token(),
        work,
        config,
    });
    Ok((node, listener))
}

/// Registers the worker and finds out whether its storage is the right one; waits for a database that is still
/// starting or has no schema yet. False if the process was stopped meanwhile.
async fn first_beat(node: &Arc<Node>) -> Result<bool, WorkerError> {
    loop {
        match register(node).await {
            Ok(()) => return Ok(true),
            Err(error) if may_pass(&error) => tracing::warn!(%error, "waiting for the database"),
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(FIRST_PAUSE) => {}
            () = node.stopping.cancelled() => return Ok(false),
        }
    }
}

async fn register(node: &Arc<Node>) -> Result<(), WorkerError> {
    heartbeat::beat(node).await?;
    match reconcile::establish(node).await {
        Ok(()) => heartbeat::beat(node).await,
        Err(ReconcileError::Db(error)) => Err(error.into()),
        // It takes no jobs for its disk and says why; the next look may find better.
        Err(error) => {
            tracing::error!(%error, "cannot look at the storage");
            Ok(())
        }
    }
}

/// True for what time and a hub that migrates may cure.
fn may_pass(error: &WorkerError) -> bool {
    match error {
        WorkerError::Db(error) => error.is_away() || error.is_unprepared(),
        WorkerError::Schema(fit) => matches!(fit, SchemaFit::TooOld { .. }),
        _ => false,
    }
}

/// Consumes both queues until the process stops and every job is over. Jobs for this disk have a
/// limit of their own, so a restore does not wait behind long backups.
async fn consume(node: &Arc<Node>) -> Result<(), DbError> {
    let boot = uuid::Uuid::new_v4().simple().to_string();
    let queues = [route::WORK.to_owned(), route::of_worker(&node.id)];
    // One connection for each consumer, one that listens, and one to spare.
    let (pool, silences) = db::ticket_pool(node.config.database.url.expose_secret(), 4)?;
    let wakeups = Wakeups::new(queues.clone());
    let (bells, listening) = (wakeups.clone(), pool.clone());
    let listening = tokio::spawn(async move { bells.run(&listening).await });
    let of = |queue: String| {
        let consumer = Consumer {
            name: format!("{}.{}.{queue}", node.id, &boot[..8]),
            queue: queue.clone(),
            concurrency: node.config.concurrency,
            silences: silences.clone(),
            wakeups: wakeups.clone(),
        };
        let owner = node.clone();
        consumer.run(pool.clone(), node.stopping.clone(), move || {
            // In a task of its own: a consumer that loses the database drops its calls, and the
            // transfer must go on.
            let used = tokio::spawn(use_permit(owner.clone(), queue.clone()));
            async move {
                if let Err(fault) = used.await {
                    tracing::error!(%fault, "handling a permit failed");
                }
            }
        })
    };
    let [work, own] = queues;
    tokio::join!(of(work), of(own));
    listening.abort();
    // Jobs of a consumer that was rebuilt meanwhile.
    while let Some(attempt) = node.running().first() {
        attempt.over.cancelled().await;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// After the stop signal, waits for the grace period and then gives back what still runs.
async fn hand_back_in_time(node: &Arc<Node>) {
    node.stopping.cancelled().await;
    let grace = tokio::time::sleep(node.config.shutdown_grace);
    tokio::pin!(grace);
    loop {
        let running = node.running();
        let Some(attempt) = running.first() else {
            return;
        };
        tokio::select! {
            () = attempt.over.cancelled() => tokio::task::yield_now().await,
            () = &mut grace => break,
        }
    }
    for attempt in node.running() {
        attempt.stop(StopReason::HandBack);
    }
}
