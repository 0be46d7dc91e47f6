//! `/healthz`, `/readyz` and `/metrics`: for machines that watch the hub.

use std::fmt::Write;

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use secrecy::ExposeSecret;

use super::{
    auth::{PeerAddress, bearer},
    error::ApiError,
};
use crate::{
    crypto::tokens,
    db::{Page, gauges, workers},
    domain::worker::{Worker, WorkerState},
    hub::{Hub, actions::ActionError},
};

pub(super) fn router() -> Router<Hub> {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// Ready once the database answers and has our tables.
async fn ready(State(hub): State<Hub>) -> impl IntoResponse {
    let looked = async {
        let mut conn = hub.connection().await?;
        gauges::queues(&mut conn).await.map_err(ActionError::from)
    };
    match looked.await {
        Ok(_) if !hub.shutdown.is_cancelled() => (StatusCode::OK, "ready\n"),
        Ok(_) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database is not reachable or not migrated\n",
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
        None if peer.to_canonical().is_loopback() => {}
        None => {
            let detail = "metrics are for this machine only, unless XVAULT_METRICS_TOKEN is set";
            return Err(ActionError::Forbidden(detail.into()).into());
        }
    }
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], text(&hub).await?))
}

async fn text(hub: &Hub) -> Result<String, ActionError> {
    let mut conn = hub.connection().await?;
    let (jobs, queues) = (gauges::jobs(&mut conn).await?, gauges::queues(&mut conn).await?);
    let workers = workers::list(&mut conn, &Page::first(Page::MAX_LIMIT)).await?;
    let mut text = Exposition::default();
    text.head("xvault_jobs", "Active jobs, and those that ended within 24 hours");
    for count in jobs {
        text.line(
            "xvault_jobs",
            &[("kind", count.kind.as_str()), ("state", count.state.as_str())],
            count.jobs,
        );
    }
    text.head("xvault_queue_depth", "Jobs that are due and wait for a worker");
    for queue in &queues {
        text.line("xvault_queue_depth", &[("queue", &queue.queue)], queue.jobs);
    }
    text.head("xvault_queue_oldest_seconds", "How long the oldest due job has waited");
    for queue in &queues {
        text.line(
            "xvault_queue_oldest_seconds",
            &[("queue", &queue.queue)],
            queue.oldest_s,
        );
    }
    text.head("xvault_worker_up", "1 if the worker was heard of lately");
    let now = hub.clock.now();
    for worker in &workers {
        let up = !matches!(worker.state(now), WorkerState::Away | WorkerState::Stopped);
        text.line("xvault_worker_up", &labels(worker), u8::from(up));
    }
    text.head("xvault_worker_running_jobs", "Jobs the worker runs");
    for worker in &workers {
        text.line("xvault_worker_running_jobs", &labels(worker), worker.running);
    }
    text.head("xvault_worker_storage_free_bytes", "Free space of the worker's storage");
    for worker in &workers {
        if let Some(free) = worker.storage_free_bytes {
            text.line("xvault_worker_storage_free_bytes", &labels(worker), free);
        }
    }
    text.head(
        "xvault_worker_orphans",
        "Snapshots on its disk that no job stands behind",
    );
    for worker in &workers {
        text.line("xvault_worker_orphans", &labels(worker), worker.disk.orphans);
    }
    text.head(
        "xvault_worker_unclaimed_snapshots",
        "Snapshots on its disk that the catalogue has lost",
    );
    for worker in &workers {
        text.line(
            "xvault_worker_unclaimed_snapshots",
            &labels(worker),
            worker.disk.unclaimed,
        );
    }
    Ok(text.0)
}

fn labels(worker: &Worker) -> [(&'static str, &str); 2] {
    [("worker", worker.id.as_str()), ("hostname", &worker.hostname)]
}

/// Prometheus' text format; everything here is a gauge.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn head(&mut self, name: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, text)| format!("{name}=\"{}\"", escaped(text)))
            .collect();
        let _ = writeln!(self.0, "{name}{{{}}} {value}", labels.join(","));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut text = Exposition::default();
        text.line("m", &[("hostname", "a\"b\\c\nd")], 1);
        assert_eq!(text.0, "m{hostname=\"a\\\"b\\\\c\\nd\"} 1\n");
    }
}
