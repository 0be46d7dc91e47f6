//! Counts what becomes of things, and keeps the first few of each kind.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::{
    escaped::escape,
    server_restore::{RestoreAction, RestoreLine, RestoreReport},
};

/// Most obstacles told.
const MAX_OBSTACLES: usize = 50;

/// Longest path told, in characters.
const MAX_TOLD: usize = 1000;

/// Counters that several tasks share.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    report: RestoreReport,
    obstacles: Vec<String>,
}

impl Tally {
    /// Notes what becomes of `path`, of so many bytes.
    pub fn note(&self, action: RestoreAction, path: &[u8], bytes: u64, why: Option<String>) {
        let mut counted = self.lock();
        let line = RestoreLine {
            action,
            path: told(path),
            why,
        };
        counted.report.note(action, bytes, line);
    }

    /// Notes what stands in the way of a restore; each once.
    pub fn obstacle(&self, what: String) {
        let mut counted = self.lock();
        if counted.obstacles.len() < MAX_OBSTACLES && !counted.obstacles.contains(&what) {
            counted.obstacles.push(what);
        }
    }

    /// What was counted so far; the rest of the report is the caller's.
    pub fn report(&self) -> RestoreReport {
        let counted = self.lock();
        let mut report = RestoreReport {
            obstacles: counted.obstacles.clone(),
            ..counted.report.clone()
        };
        report.sample.sort_by_key(|line| line.action);
        report
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        // Nothing panics while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path as it is shown.
pub fn told(path: &[u8]) -> String {
    let text = escape(path);
    match text.char_indices().nth(MAX_TOLD) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
