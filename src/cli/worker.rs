//! `xvault worker`: the data plane.

use anyhow::Context;

use crate::{
    clock::Clock,
    config::{Environment, WorkerConfig},
    shutdown::Shutdown,
};

pub use crate::config::WorkerArgs;

/// Runs until a signal, then until its jobs are done or handed back.
pub async fn run(args: WorkerArgs) -> anyhow::Result<()> {
    let config = WorkerConfig::load(args, &Environment::process())?;
    let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
    crate::worker::run(config, Clock::default(), shutdown).await?;
    Ok(())
}
