//! How long the worker waits for what.

use std::time::Duration;

/// Periods of one worker. Tests shorten the first three, and what follows from them, through hidden settings.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How long a claim or renewal holds a job.
    pub lease: Duration,
    /// Pause before the second attempt of a job; each further one is four times as long.
    pub retry_base: Duration,
    /// How often disk and catalogue are compared.
    pub reconcile_every: Duration,
    /// How often a lease is renewed and progress written.
    pub renew_every: Duration,
    /// How often the worker says that it is alive.
    pub heartbeat_every: Duration,
    /// How long to ask for a brief while the hub is away.
    pub brief_patience: Duration,
    /// How long to try to deliver the last word about a job while the database is away.
    pub report_patience: Duration,
    /// How long a download link lives.
    pub export_lifetime: Duration,
}

/// Longest pause between attempts.
const LONGEST_RETRY: Duration = Duration::from_secs(15 * 60);

impl Timing {
    /// The usual periods around these.
    pub fn new(lease: Duration, retry_base: Duration, reconcile_every: Duration) -> Self {
        Self {
            lease,
            retry_base,
            reconcile_every,
            renew_every: (lease / 5).min(Duration::from_secs(1)),
            heartbeat_every: (lease / 3).min(Duration::from_secs(5)),
            brief_patience: Duration::from_secs(120),
            report_patience: Duration::from_secs(60 * 60),
            export_lifetime: Duration::from_secs(24 * 60 * 60),
        }
    }

    /// The pause after failed attempt number `attempt` (from 1): growing, and spread by a quarter
    /// either way so that jobs which failed together do not come back together.
    pub fn retry_after(&self, attempt: i32) -> Duration {
        self.pause(4, attempt - 1)
    }

    /// The pause after a server said for the `deferrals + 1`st time that it is busy: twice as long at first, and
    /// growing more slowly, because such a pause is for everybody's jobs there.
    pub fn retry_busy_after(&self, deferrals: i32) -> Duration {
        self.pause(2, deferrals.saturating_add(1))
    }

    /// The pause before a job that did not fit on our disk is somebody else's: just long enough that it
    /// cannot spin.
    pub fn retry_elsewhere_after(&self) -> Duration {
        self.pause(1, 0).min(Duration::from_secs(1))
    }

    /// `retry_base` times `factor` to the power of `exponent`, bounded and spread.
    fn pause(&self, factor: u32, exponent: i32) -> Duration {
        let exponent = u32::try_from(exponent).unwrap_or(0).min(8);
        let pause = self.retry_base.saturating_mul(factor.pow(exponent)).min(LONGEST_RETRY);
        pause.mul_f64(rand::random_range(0.75..1.25))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let timing = Timing::new(
            Duration::from_secs(30),
            Duration::from_secs(30),
            Duration::from_secs(900),
        );
        for (attempt, middle) in [(1, 30.0), (2, 120.0), (3, 480.0), (9, 900.0), (i32::MAX, 900.0)] {
            let pause = timing.retry_after(attempt).as_secs_f64();
            assert!((middle * 0.74..middle * 1.26).contains(&pause), "{attempt}: {pause}");
        }
        for (deferrals, middle) in [(0, 60.0), (1, 120.0), (3, 480.0), (i32::MAX, 900.0)] {
            let pause = timing.retry_busy_after(deferrals).as_secs_f64();
            assert!((middle * 0.74..middle * 1.26).contains(&pause), "{deferrals}: {pause}");
        }
    }
}
