//! What was measured, beside what was promised.

use std::{fmt, time::Duration};

/// A line of the report.
struct Line {
    what: String,
    measured: String,
    target: String,
    met: Option<bool>,
}

/// All lines.
#[derive(Default)]
pub struct Report {
    lines: Vec<Line>,
}

impl Report {
    /// A figure without a target of its own.
    pub fn note(&mut self, what: &str, measured: String) {
        self.add(what, measured, String::new(), None);
    }

    /// A ratio that should be at most `limit`.
    pub fn at_most(&mut self, what: &str, ratio: f64, limit: f64) {
        self.add(
            what,
            format!("{ratio:.2}"),
            format!("at most {limit}"),
            Some(ratio <= limit),
        );
    }

    /// A ratio that should be at least `limit`.
    pub fn at_least(&mut self, what: &str, ratio: f64, limit: f64) {
        self.add(
            what,
            format!("{ratio:.1}"),
            format!("at least {limit}"),
            Some(ratio >= limit),
        );
    }

    fn add(&mut self, what: &str, measured: String, target: String, met: Option<bool>) {
        // As it comes: a full run takes a quarter of an hour.
        eprintln!("  {what}: {measured}");
        self.lines.push(Line {
            what: what.to_owned(),
            measured,
            target,
            met,
        });
    }

    /// True if nothing missed its target.
    pub fn all_met(&self) -> bool {
        self.lines.iter().all(|line| line.met != Some(false))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n| What | Measured | Target | |\n|---|---|---|---|")?;
        for line in &self.lines {
            let verdict = match line.met {
                None => "",
                Some(true) => "met",
                Some(false) => "MISSED",
            };
            writeln!(f, "| {} | {} | {} | {verdict} |", line.what, line.measured, line.target)?;
        }
        Ok(())
    }
}

/// The value that so many percent of the measurements do not exceed.
pub fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

/// The middle one of an odd number of measurements.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
