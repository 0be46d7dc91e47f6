//! `/healthz`, `/readyz` and `/metrics`: for machines that watch the hub.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;

use super::{
    auth::{PeerAddress, bearer},
    error::ApiError,
};
use crate::{
    crypto::tokens,
    db::{
        self,
        gauges::{QueueDepth, SnapshotCount},
        schema,
    },
    domain::worker::{Worker, WorkerState},
    hub::{
        Hub,
        actions::{
            ActionError,
            fleet::{self, Fleet},
        },
    },
    queue::route,
    serving,
    telemetry::{
        exposition::{self, Exposition},
        process,
    },
};

pub(super) fn router() -> Router<Hub> {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// Ready once the database answers and has a schema that this version understands.
async fn ready(State(hub): State<Hub>) -> (StatusCode, String) {
    if hub.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    let looked = async { schema::fit(&mut *hub.pool.acquire().await?).await };
    match db::answered(looked).await {
        Ok(fit) if fit.is_fine() => (StatusCode::OK, "ready\n".to_owned()),
        Ok(fit) => (StatusCode::SERVICE_UNAVAILABLE, format!("{fit}\n")),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database is not reachable or not migrated\n".to_owned(),
        ),
    }
}

async fn metrics(
    State(hub): State<Hub>,
    PeerAddress(peer): PeerAddress,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    match &hub.settings.metrics_token {
        Some(token) => {
            let given = bearer(&headers)?;
            if !tokens::matches(given.expose_secret().as_bytes(), token.expose_secret().as_bytes()) {
                return Err(ActionError::Unauthenticated("the metrics token is wrong").into());
            }
        }
        None if serving::is_local(peer, &headers) => {}
        None => {
            let detail = "metrics are for this machine only, unless XVAULT_METRICS_TOKEN is set";
            return Err(ActionError::Forbidden(detail.into()).into());
        }
    }
    Ok(([(header::CONTENT_TYPE, exposition::CONTENT_TYPE)], text(&hub).await?))
}

/// The same on every hub, except what this process has done itself.
async fn text(hub: &Hub) -> Result<String, ActionError> {
    let (fleet, jobs) = (fleet::of(hub).await?, fleet::job_counts(hub).await?);
    let mut text = Exposition::default();
    process::write(&mut text, "hub");
    text.counter(
        "xvault_lease_losses_total",
        "Jobs this hub took from silent workers, by what became of them",
    );
    for (after, jobs) in hub.meters.lease_losses() {
        text.line("xvault_lease_losses_total", &[("after", after)], jobs);
    }
    text.gauge("xvault_jobs", "Jobs that wait or run");
    for count in &jobs {
        let labels = [("kind", count.kind.as_str()), ("state", count.state.as_str())];
        text.line("xvault_jobs", &labels, count.jobs);
    }
    snapshots(&mut text, &fleet::snapshot_counts(hub).await?);
    queues(&mut text, &fleet);
    processes(&mut text, &fleet);
    for (name, help, value) in WORKER_GAUGES {
        text.gauge(name, help);
        for worker in &fleet.workers {
            if let Some(value) = value(worker, fleet.seen_at) {
                let labels = [("worker", worker.id.as_str()), ("hostname", worker.hostname.as_str())];
                text.line(name, &labels, value);
            }
        }
    }
    Ok(text.into_text())
}

fn snapshots(text: &mut Exposition, counts: &[SnapshotCount]) {
    text.gauge("xvault_snapshots", "Snapshots in the catalogue");
    for count in counts {
        text.line("xvault_snapshots", &[("state", count.state.as_str())], count.snapshots);
    }
    text.gauge("xvault_snapshot_bytes", "Bytes that snapshots take");
    for count in counts {
        text.line(
            "xvault_snapshot_bytes",
            &[("state", count.state.as_str())],
            count.bytes_stored,
        );
    }
}

/// The common queue always, a worker's own while something is due in it.
fn queues(text: &mut Exposition, fleet: &Fleet) {
    let idle = QueueDepth {
        queue: route::WORK.to_owned(),
        jobs: 0,
        oldest_s: 0.0,
    };
    let queues = || fleet.queues.iter().chain(fleet.work().is_none().then_some(&idle));
    text.gauge("xvault_queue_depth", "Jobs that are due and wait for a worker");
    for queue in queues() {
        text.line("xvault_queue_depth", &[("queue", &queue.queue)], queue.jobs);
    }
    text.gauge("xvault_queue_oldest_seconds", "How long the oldest due job has waited");
    for queue in queues() {
        text.line(
            "xvault_queue_oldest_seconds",
            &[("queue", &queue.queue)],
            queue.oldest_s,
        );
    }
}

fn processes(text: &mut Exposition, fleet: &Fleet) {
    text.gauge("xvault_workers", "Workers that are not retired, by state");
    for state in WorkerState::ALL.iter().filter(|state| **state != WorkerState::Retired) {
        let workers = fleet.workers.iter();
        let count = workers.filter(|worker| worker.state(fleet.seen_at) == *state).count();
        text.line("xvault_workers", &[("state", state.as_str())], count);
    }
    text.gauge("xvault_versions", "Processes that run, by role and version");
    for version in fleet.versions() {
        let hubs = fleet.hubs.iter().filter(|hub| hub.version == version).count();
        text.line("xvault_versions", &[("role", "hub"), ("version", version)], hubs);
        let workers = fleet.online().filter(|worker| worker.version == version).count();
        text.line("xvault_versions", &[("role", "worker"), ("version", version)], workers);
    }
}

/// Reads one value of a worker, at a time.
type WorkerValue = fn(&Worker, DateTime<Utc>) -> Option<f64>;

/// Per worker: name, what it is, and the value, if it is known.
const WORKER_GAUGES: &[(&str, &str, WorkerValue)] = &[
    (
        "xvault_worker_up",
        "1 if the worker was heard of lately",
        |worker, now| Some(f64::from(u8::from(worker.is_online(now)))),
    ),
    (
        "xvault_worker_takes_backups",
        "1 if the worker takes backups just now",
        |worker, now| Some(f64::from(u8::from(worker.takes_backups(now)))),
    ),
    (
        "xvault_worker_heartbeat_age_seconds",
        "Time since the worker was last heard of",
        |worker, now| Some((now - worker.last_seen_at).as_seconds_f64().max(0.0)),
    ),
    ("xvault_worker_running_jobs", "Jobs the worker runs", |worker, _| {
        Some(f64::from(worker.running))
    }),
    (
        "xvault_worker_concurrency",
        "Jobs the worker runs at most",
        |worker, _| Some(f64::from(worker.concurrency)),
    ),
    (
        "xvault_worker_storage_free_bytes",
        "Free space of the worker's storage",
        |worker, _| worker.storage_free_bytes.map(|bytes| bytes as f64),
    ),
    (
        "xvault_worker_storage_total_bytes",
        "Size of the worker's storage",
        |worker, _| worker.storage_total_bytes.map(|bytes| bytes as f64),
    ),
    (
        "xvault_worker_orphans",
        "Snapshots on its disk that no job stands behind",
        |worker, _| Some(f64::from(worker.disk.orphans)),
    ),
    (
        "xvault_worker_unclaimed_snapshots",
        "Snapshots on its disk that the catalogue has lost",
        |worker, _| Some(f64::from(worker.disk.unclaimed)),
    ),
];
