//! Orders verifications: of each worker's snapshots a share per day, those not looked at for longest first,
//! spread over the day.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{
    db::{
        DbError, Transaction,
        jobs::NewJob,
        snapshots::{self, Pace},
    },
    domain::{ids::WorkerId, job::VerifyLevel},
    hub::Hub,
    queue::{self, EnqueueError, orders},
};

/// How often the schedule is looked at.
pub const EVERY: Duration = Duration::from_secs(60);

/// Verifications a worker has to do at once, at most: they read whole snapshots, and people's restores go to
/// the same disk.
const MOST_ACTIVE: i64 = 2;

const DAY_MS: f64 = 24.0 * 60.0 * 60.0 * 1000.0;

/// One round; says how many verifications it ordered. Safe to run on several hubs at once: the schedule of a
/// worker is taken by one of them, and its jobs are ordered in the same transaction.
pub async fn once(hub: Hub) -> Result<u64, DbError> {
    let share = hub.settings.verify_share;
    if share <= 0.0 {
        return Ok(0);
    }
    let mut after: Option<WorkerId> = None;
    loop {
        let workers = snapshots::verifying_workers(&mut *hub.pool.acquire().await?, after.as_ref()).await?;
        for worker in &workers {
            order(&hub, worker, share).await?;
        }
        after = match workers.into_iter().last() {
            Some(last) => Some(last),
            // A round is never "full": how much is ordered is up to the schedule.
            None => return Ok(0),
        };
    }
}

async fn order(hub: &Hub, worker: &WorkerId, share: f64) -> Result<(), DbError> {
    let mut tx = Transaction::begin(&hub.pool).await?;
    let Some(pace) = snapshots::take_pace(&mut tx, worker).await? else {
        return Ok(());
    };
    let due = due(&pace, share);
    if due.advance > TimeDelta::zero() {
        snapshots::set_pace(&mut tx, worker, pace.ordered_to + due.advance).await?;
        for snapshot in snapshots::take_unverified(&mut tx, worker, due.orders).await? {
            let new = NewJob {
                priority: orders::SCHEDULED,
                ..orders::verify(&snapshot, VerifyLevel::Content)
            };
            match queue::enqueue(&mut tx, &new).await {
                Ok(job) => {
                    tx.changed_job(&job.id);
                    tx.added_work(&new.queue);
                }
                // Is said of backups only.
                Err(EnqueueError::ActiveBackup(_)) => {}
                Err(EnqueueError::Db(error)) => return Err(error),
            }
        }
    }
    tx.commit(&hub.notifier).await
}

/// What the schedule wants now.
#[derive(Debug, PartialEq, Eq)]
struct Due {
    orders: i64,
    /// How much further the schedule is then.
    advance: TimeDelta,
}

/// Verifications follow each other at equal distances. What a worker had no room for, because it was away or is
/// slower than the share, is not made up for in a rush.
fn due(pace: &Pace, share: f64) -> Due {
    let elapsed = pace.now - pace.ordered_to;
    let distance_ms = DAY_MS / (pace.snapshots.max(1) as f64 * share);
    let owed = (elapsed.num_milliseconds() as f64 / distance_ms).floor();
    let room = (MOST_ACTIVE - pace.active).max(0);
    if owed > room as f64 {
        return Due {
            orders: room,
            advance: elapsed,
        };
    }
    Due {
        orders: owed.max(0.0) as i64,
        advance: TimeDelta::milliseconds((owed.max(0.0) * distance_ms) as i64),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn after(hours: i64, snapshots: i64, active: i64) -> Due {
        let start = DateTime::UNIX_EPOCH;
        let pace = Pace {
            ordered_to: start,
            now: start + TimeDelta::hours(hours),
            snapshots,
            active,
        };
        due(&pace, 0.5)
    }

    #[test]
    fn verifications_are_spread_over_the_day_and_never_rushed() {
        let hours = TimeDelta::hours;
        let expect = |due: Due, orders, advance| assert_eq!(due, Due { orders, advance });
        // Half of eight a day: one every six hours.
        expect(after(5, 8, 0), 0, hours(0));
        expect(after(6, 8, 0), 1, hours(6));
        expect(after(13, 8, 0), 2, hours(12));
        // Away for a week: two, and then as before.
        expect(after(7 * 24, 8, 0), 2, hours(7 * 24));
        expect(after(13, 8, 1), 1, hours(13));
        expect(after(13, 8, 2), 0, hours(13));
        expect(after(0, 8, 0), 0, hours(0));
        // The clock of the database went back.
        expect(after(-9, 8, 0), 0, hours(0));
    }
}
