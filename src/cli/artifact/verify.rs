//! `xvault artifact verify`

use std::path::PathBuf;

use super::{
    Target,
    opened::{open, told},
};
use crate::artifact::{Directory, Gauge, check_hashes, verify};

/// Options of `verify`.
#[derive(clap::Args)]
pub struct VerifyArgs {
    /// The snapshot's directory: the one with manifest.json
    directory: PathBuf,
    /// age identity file that opens it; without one only the stored files' hashes are checked
    #[arg(short, long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

/// Checks, and says what was checked.
pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<()> {
    let Some(identity) = &args.identity else {
        let bytes = check_hashes(&Directory(args.directory.clone()), None, &Gauge::new()).map_err(told)?;
        println!("intact: {bytes} stored bytes have their hashes (what is inside was not looked at: no --identity)");
        return Ok(());
    };
    let target = Target {
        directory: args.directory.clone(),
        identity: identity.clone(),
    };
    let (files, keys) = open(&target)?;
    let report = verify(&files, &keys, None, &Gauge::new()).map_err(told)?;
    println!(
        "intact: {} entries, {} bytes of content, {} stored bytes",
        report.counts.entries(),
        report.bytes_content,
        report.bytes_stored
    );
    if report.counts.problems > 0 {
        println!(
            "{} warnings were noted when it was made; `list` shows them",
            report.counts.problems
        );
    }
    Ok(())
}
