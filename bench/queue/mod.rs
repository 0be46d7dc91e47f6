//! The queue's pace: no-op jobs through their whole life, from the order to the report, next to pg-boss and
//! graphile-worker on the same PostgreSQL.
//!
//! The workers are this program again, running the product's own worker with a handler that does nothing. A hub
//! runs beside them. Producers order one job per transaction, as a hub does, while the workers work.

mod catalogue;
mod peers;
mod workers;

use std::time::{Duration, Instant};

use sqlx::PgPool;

use crate::{
    Scale,
    report::{Report, median, percentile},
    support::{
        postgres::{Database, Server},
        xvault::Hub,
    },
};
use catalogue::Catalogue;
use workers::Workers;

pub use workers::{be_a_worker, is_wanted};

/// Jobs each worker process runs at once; the peers do the same.
const AT_ONCE: usize = 8;
/// Producers that order jobs side by side.
const PRODUCERS: usize = 4;
const HISTORY: u64 = 1_000_000;
const JOBS: u64 = 10_000;
const SAMPLES: u64 = 200;

/// Jobs per second with one and with four worker processes, and times from commit to start.
struct Pace {
    one: f64,
    four: f64,
    latencies: Vec<Duration>,
}

pub async fn measure(scale: &Scale, report: &mut Report) {
    eprintln!("queue");
    let server = tokio::task::spawn_blocking(Server::durable).await.expect("PostgreSQL");
    let history = scale.of(HISTORY);
    let ours = server.database().await;
    let hub = Hub::start(&ours, &[("XVAULT_LOG", "warn".to_owned())]).await;
    let catalogue = Catalogue::make(&ours.pool().await).await;

    let young = pace(scale, &ours, &hub, &catalogue).await;
    note(report, "without history", &young);
    catalogue.grow_old(history).await;
    let old = pace(scale, &ours, &hub, &catalogue).await;
    let named = format!("with {history} finished jobs");
    note(report, &named, &old);

    report.at_least("queue: jobs/s of one process, with history", old.one, 500.0);
    report.at_least(
        "queue: four processes against one, with history",
        old.four / old.one,
        1.0,
    );
    report.at_least("queue: pace with history against without", old.one / young.one, 0.9);
    let start = median(old.latencies).as_secs_f64() * 1000.0;
    report.at_most("queue: median start latency in ms, with history", start, 20.0);
    drop((hub, catalogue));

    for peer in ["graphile-worker", "pg-boss"] {
        let one = peers::run(peer, &server, scale, 1, history).await;
        let four = peers::run(peer, &server, scale, 4, history).await;
        let pace = Pace {
            one: one.pace,
            four: four.pace,
            latencies: one.latencies(),
        };
        note(report, peer, &pace);
    }
}

fn note(report: &mut Report, what: &str, pace: &Pace) {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    report.note(
        &format!("queue: {what}"),
        format!(
            "{:.0} jobs/s from one process, {:.0} from four; start after {:.1} ms (median), {:.1} ms (p95)",
            pace.one,
            pace.four,
            ms(median(pace.latencies.clone())),
            ms(percentile(pace.latencies.clone(), 95))
        ),
    );
}

async fn pace(scale: &Scale, database: &Database, hub: &Hub, catalogue: &Catalogue) -> Pace {
    let jobs = scale.of(JOBS);
    let four = throughput(database, hub, catalogue, 4, jobs).await;
    let one = throughput(database, hub, catalogue, 1, jobs).await;
    let latencies = latencies(database, hub, catalogue, scale.of(SAMPLES).max(3)).await;
    Pace { one, four, latencies }
}

/// Jobs per second from the first order to the last report.
async fn throughput(database: &Database, hub: &Hub, catalogue: &Catalogue, processes: usize, jobs: u64) -> f64 {
    let workers = Workers::start(database, hub, processes).await;
    let began = Instant::now();
    let producers = (0..PRODUCERS as u64).map(|n| {
        let catalogue = catalogue.clone();
        tokio::spawn(async move {
            for number in (n..jobs).step_by(PRODUCERS) {
                catalogue.order(number).await;
            }
        })
    });
    for producer in producers.collect::<Vec<_>>() {
        producer.await.expect("orders");
    }
    while unfinished(catalogue.pool()).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let taken = began.elapsed();
    drop(workers);
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let jobs = jobs as f64;
    jobs / taken.as_secs_f64()
}

async fn unfinished(pool: &PgPool) -> bool {
    let some =
        "select exists (select from jobs where state = 'queued') or exists (select from jobs where state = 'running')";
    sqlx::query_scalar(some).fetch_one(pool).await.expect("an answer")
}

/// Times from the commit of an order to the start of its handler, on an otherwise idle queue.
async fn latencies(database: &Database, hub: &Hub, catalogue: &Catalogue, samples: u64) -> Vec<Duration> {
    let mut workers = Workers::start(database, hub, 1).await;
    let mut latencies = Vec::new();
    for number in 0..samples {
        let job = catalogue.order(number).await;
        let committed = std::time::SystemTime::now();
        let began = workers.began(&job).await;
        // Both clocks are this host's; a handler may even be quicker than the answer to the commit.
        latencies.push(began.duration_since(committed).unwrap_or_default());
        while unfinished(catalogue.pool()).await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(20..100))).await;
    }
    latencies
}
