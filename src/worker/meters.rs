//! What this worker process has done, for Prometheus: attempts by kind and how they ended. Grows with kinds and
//! outcomes, never with jobs or tenants.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::node::Node;
use crate::{
    domain::job::{JobKind, text_enum},
    telemetry::{
        exposition::{Exposition, Histogram},
        process,
    },
};

/// Bounds of durations, in seconds: from a probe's blink to a day's backup.
const SECONDS: &[f64] = &[
    0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0,
];

text_enum! {
    /// How an attempt ended.
    AttemptEnd {
        /// Its job succeeded.
        Succeeded = "succeeded",
        /// Its job stored what it could.
        Partial = "partial",
        /// Its job failed for good.
        Failed = "failed",
        /// It failed, and another one follows.
        Retry = "retry",
        /// Somebody cancelled its job.
        Cancelled = "cancelled",
        /// The worker stopped and gave the job back.
        HandedBack = "handed_back",
        /// The job was somebody else's by then, or nobody knows.
        Lost = "lost",
    }
}

struct Tally {
    seconds: Histogram,
    bytes: u64,
}

/// Counts of one process.
#[derive(Default)]
pub struct Meters(Mutex<HashMap<(JobKind, AttemptEnd), Tally>>);

impl Meters {
    /// Counts an attempt that is over.
    pub fn attempt(&self, kind: JobKind, end: AttemptEnd, took: Duration, bytes: u64) {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = tallies.entry((kind, end)).or_insert_with(|| Tally {
            seconds: Histogram::new(SECONDS),
            bytes: 0,
        });
        tally.seconds.observe(took.as_secs_f64());
        tally.bytes += bytes;
    }

    fn write(&self, text: &mut Exposition) {
        let tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = Vec::new();
        for kind in JobKind::ALL {
            for end in AttemptEnd::ALL {
                let labels = [("kind", kind.as_str()), ("outcome", end.as_str())];
                known.extend(tallies.get(&(*kind, *end)).map(|tally| (labels, tally)));
            }
        }
        text.histogram("xvault_attempt_seconds", "How long attempts took, by kind and outcome");
        for (labels, tally) in &known {
            tally.seconds.write(text, "xvault_attempt_seconds", labels);
        }
        text.counter(
            "xvault_attempt_bytes_total",
            "Bytes that attempts moved, by kind and outcome",
        );
        for (labels, tally) in &known {
            text.line("xvault_attempt_bytes_total", labels, tally.bytes);
        }
    }
}

/// Everything Prometheus learns from this process.
pub fn text(node: &Node) -> String {
    let mut text = Exposition::default();
    process::write(&mut text, "worker");
    node.meters.write(&mut text);
    let running = node.running();
    text.gauge("xvault_running_jobs", "Jobs this worker runs now, by kind");
    for kind in JobKind::ALL {
        let count = running.iter().filter(|attempt| attempt.job.kind == *kind).count();
        text.line("xvault_running_jobs", &[("kind", kind.as_str())], count);
    }
    text.gauge(
        "xvault_concurrency",
        "Jobs this worker runs at most, and as many for its own disk",
    );
    text.line("xvault_concurrency", &[], node.config.concurrency);
    text.gauge("xvault_takes_backups", "1 if this worker takes backups just now");
    let disk = node.disk();
    let takes = !node.is_drained() && !node.stopping.is_cancelled() && disk.paused.is_none();
    text.line("xvault_takes_backups", &[], u8::from(takes));
    if let Some((total, free)) = disk.space {
        text.gauge("xvault_storage_total_bytes", "Size of this worker's storage");
        text.line("xvault_storage_total_bytes", &[], total);
        text.gauge("xvault_storage_free_bytes", "Free space of this worker's storage");
        text.line("xvault_storage_free_bytes", &[], free);
    }
    text.into_text()
}
