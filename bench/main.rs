//! `just bench`: the product against stock tools, in one run, as ratios.
//!
//! Real hub and worker processes, real servers on loopback, jobs through the API (and `queue`: no-op jobs through the
//! queue). `BENCH_SCALE`
//! (1 by default) shrinks every size for a quick look; figures count only at full size. An argument
//! picks the measurements whose name contains it.

#![allow(missing_docs, reason = "not a library")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on should stop"
)]

mod databases;
mod memory;
mod peers;
mod product;
mod queue;
mod report;
mod single_file;
mod small_files;
mod small_files_ftps;
#[path = "../tests/suite/support/mod.rs"]
#[allow(dead_code, reason = "the harness of the test suite, of which this needs a part")]
mod support;
mod tree;
mod whole_tree;

use report::Report;

/// How much of the full size to measure.
pub struct Scale(f64);

impl Scale {
    fn from_environment() -> Self {
        let scale = std::env::var("BENCH_SCALE").map_or(1.0, |text| text.parse().expect("BENCH_SCALE is a number"));
        assert!(scale > 0.0 && scale <= 1.0, "BENCH_SCALE lies between 0 and 1");
        Self(scale)
    }

    /// A size or count, shrunk.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "sizes here are far below 2^52, and to the byte does not matter"
    )]
    pub fn of(&self, full: u64) -> u64 {
        ((full as f64 * self.0) as u64).max(1)
    }

    fn is_full(&self) -> bool {
        self.0 >= 1.0
    }
}

#[tokio::main]
async fn main() {
    if queue::is_wanted() {
        return queue::be_a_worker().await;
    }
    let scale = Scale::from_environment();
    // cargo passes --bench; what stands beside it is ours.
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let runs = |name: &str| wanted.as_deref().is_none_or(|wanted| name.contains(wanted));

    let mut report = Report::default();
    if runs("whole_tree") {
        whole_tree::measure(&scale, &mut report).await;
    }
    if runs("small_files") {
        small_files::measure(&scale, &mut report).await;
    }
    if runs("small_files_ftps") {
        small_files_ftps::measure(&scale, &mut report).await;
    }
    if runs("databases") {
        databases::measure(&scale, &mut report).await;
    }
    if runs("memory") {
        memory::measure(&scale, &mut report).await;
    }
    if runs("single_file") {
        single_file::measure(&scale, &mut report).await;
    }
    if runs("queue") {
        queue::measure(&scale, &mut report).await;
    }
    println!("{report}");
    if !scale.is_full() {
        println!("Measured at a reduced size: the targets are meant for BENCH_SCALE=1.");
    } else if !report.all_met() {
        std::process::exit(1);
    }
}
