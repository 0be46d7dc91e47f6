//! `xvault artifact`: looks into a snapshot's directory without hub, worker or database.

mod extract;
mod inspect;
mod list;
mod opened;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with a snapshot's directory.
#[derive(Subcommand)]
pub enum ArtifactCommand {
    /// Say what a snapshot is, as far as that needs no key
    Inspect(inspect::InspectArgs),
    /// Read everything again and check every byte
    Verify(verify::VerifyArgs),
    /// List what is inside
    List(list::ListArgs),
    /// Get everything or chosen paths back
    Extract(extract::ExtractArgs),
}

/// Which snapshot, and the key that opens it.
#[derive(Args)]
struct Target {
    /// The snapshot's directory: the one with manifest.json
    directory: PathBuf,
    /// age identity file that opens it (AGE-SECRET-KEY-1…, comments allowed)
    #[arg(short, long, value_name = "FILE")]
    identity: PathBuf,
}

/// Runs one of them.
pub fn run(command: ArtifactCommand) -> anyhow::Result<()> {
    match command {
        ArtifactCommand::Inspect(args) => inspect::run(&args),
        ArtifactCommand::Verify(args) => verify::run(&args),
        ArtifactCommand::List(args) => list::run(&args),
        ArtifactCommand::Extract(args) => extract::run(&args),
    }
}
