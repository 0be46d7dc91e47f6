//! Snapshots whose bytes the disk failed to give are read again now and then: a disk may recover.
//!
//! What a failing disk has left of its life is not spent on this: reading again takes at most a small share of the time.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{
    artifact::{self, Expected, Gauge, Stored},
    domain::{ids::SnapshotId, job::JobError},
};

/// How much longer than a reading took the pause after it is.
const PAUSE_FACTOR: u32 = 20;

/// Which snapshots were read again, and when each may be next. Forgotten with the process: after a restart, each is
/// tried at once.
#[derive(Debug, Default)]
pub struct Rereads {
    not_before: HashMap<SnapshotId, Instant>,
    /// Stops a reading that is under way when nobody waits for it any more.
    gauge: StopsWithUs,
}

#[derive(Debug, Default)]
struct StopsWithUs(Gauge);

impl Drop for StopsWithUs {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// One reading to come.
pub struct Reread {
    id: SnapshotId,
    gauge: Gauge,
}

/// A reading that is over.
pub struct Done {
    id: SnapshotId,
    took: Duration,
}

impl Rereads {
    /// The right to read a snapshot again, if it is time.
    pub fn due(&self, id: &SnapshotId) -> Option<Reread> {
        let is_due = self.not_before.get(id).is_none_or(|at| *at <= Instant::now());
        is_due.then(|| Reread {
            id: id.clone(),
            gauge: self.gauge.0.clone(),
        })
    }

    /// Notes when the next one may be.
    pub fn done(&mut self, done: Done) {
        let now = Instant::now();
        self.not_before.retain(|_, at| *at > now);
        self.not_before.insert(done.id, now + done.took * PAUSE_FACTOR);
    }
}

impl Reread {
    /// Compares every byte with its hash. Blocks.
    pub fn read(self, files: &Stored<'_>, expected: &Expected) -> (Result<(), JobError>, Done) {
        let began = Instant::now();
        let read = artifact::check_hashes(files, Some(expected), &self.gauge).map(drop);
        let took = began.elapsed();
        (read, Done { id: self.id, took })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_again_takes_a_small_share_of_the_time() {
        let (mut rereads, id) = (Rereads::default(), SnapshotId::generate());
        let reread = rereads.due(&id).expect("never read again so far");
        let took = Duration::from_secs(60);
        rereads.done(Done { id: reread.id, took });
        assert!(rereads.due(&id).is_none());
        assert!(
            rereads.due(&SnapshotId::generate()).is_some(),
            "each has a pause of its own"
        );
        rereads.done(Done {
            id: id.clone(),
            took: Duration::ZERO,
        });
        assert!(rereads.due(&id).is_some());
    }
}
