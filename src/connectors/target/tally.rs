//! Counts what becomes of things, and keeps the first few of each kind.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::domain::{
    escaped::escape,
    server_restore::{RestoreAction, RestoreCount, RestoreLine, RestoreReport},
};

/// Lines kept of each action.
const SAMPLE: u64 = 50;

/// Most obstacles told.
const MAX_OBSTACLES: usize = 50;

/// Longest path told, in characters.
const MAX_TOLD: usize = 1000;

/// Counters that several tasks share.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    counts: BTreeMap<RestoreAction, RestoreCount>,
    sample: Vec<RestoreLine>,
    obstacles: Vec<String>,
}

impl Tally {
    /// Notes what becomes of `path`, of so many bytes.
    pub fn note(&self, action: RestoreAction, path: &[u8], bytes: u64, why: Option<String>) {
        let mut counted = self.lock();
        let count = counted.counts.entry(action).or_default();
        count.entries += 1;
        count.bytes += bytes;
        if count.entries <= SAMPLE {
            counted.sample.push(RestoreLine {
                action,
                path: told(path),
                why,
            });
        }
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
        let mut sample = counted.sample.clone();
        sample.sort_by_key(|line| line.action);
        RestoreReport {
            counts: counted.counts.clone(),
            sample,
            obstacles: counted.obstacles.clone(),
            ..RestoreReport::default()
        }
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
