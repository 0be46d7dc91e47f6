//! `xvault artifact extract`

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use anyhow::Context;

use super::{
    Target,
    opened::{open, told},
};
use crate::{
    artifact::{Gauge, export, unpack},
    domain::job::ExportFormat,
};

/// Options of `extract`.
#[derive(clap::Args)]
pub struct ExtractArgs {
    #[command(flatten)]
    target: Target,
    /// Unpack into this directory, which must be new or empty
    #[arg(
        short = 'C',
        long,
        visible_alias = "output",
        value_name = "DIR",
        required_unless_present_any = ["to_tar", "to_file"]
    )]
    to: Option<PathBuf>,
    /// Write a tar instead, `-` for standard output
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    to_tar: Option<PathBuf>,
    /// Write the one file that is chosen as it is, `-` for standard output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "to_tar"], requires = "paths")]
    to_file: Option<PathBuf>,
    /// Only these paths and what lies below them, as `list --paths` shows them
    paths: Vec<String>,
}

/// Extracts, and says how much.
pub(super) fn run(args: &ExtractArgs) -> anyhow::Result<()> {
    let (files, keys) = open(&args.target)?;
    let gauge = Gauge::new();
    if let Some(target) = &args.to {
        let report = unpack(&files, &keys, &args.paths, target, &gauge).map_err(told)?;
        println!("{} entries in {}", report.entries, target.display());
        if report.attributes_lost > 0 {
            eprintln!("{} extended attributes could not be set here", report.attributes_lost);
        }
        return Ok(());
    }
    let (format, what, wanted) = match &args.to_file {
        Some(path) => (ExportFormat::File, "the file", Some(path)),
        None => (ExportFormat::Tar, "tar", args.to_tar.as_ref()),
    };
    let (mut out, place): (Box<dyn Write>, _) = match wanted {
        Some(path) if path.as_os_str() != "-" => {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            let file = file.with_context(|| format!("cannot make {}", path.display()))?;
            (Box::new(BufWriter::new(file)), path.display().to_string())
        }
        _ => (
            Box::new(BufWriter::new(io::stdout().lock())),
            "standard output".to_owned(),
        ),
    };
    let report = export(&files, &keys, &args.paths, format, out.as_mut(), &gauge).map_err(told)?;
    // Standard output may be the data itself.
    eprintln!("{} entries, {} bytes of {what} to {place}", report.files, report.bytes);
    Ok(())
}
