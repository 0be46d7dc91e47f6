//! `xvault artifact inspect`

use std::{
    io::{self, Write},
    path::PathBuf,
};

use super::opened::told;
use crate::artifact::{Directory, Manifest, manifest};

/// Options of `inspect`.
#[derive(clap::Args)]
pub struct InspectArgs {
    /// The snapshot's directory: the one with manifest.json
    directory: PathBuf,
    /// Print the manifest as JSON
    #[arg(long)]
    json: bool,
}

/// Prints what the clear files say.
pub(super) fn run(args: &InspectArgs) -> anyhow::Result<()> {
    let manifest = manifest(&Directory(args.directory.clone())).map_err(told)?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &manifest)?;
        writeln!(out)?;
        return Ok(());
    }
    print(&manifest, &mut out)?;
    Ok(())
}

fn print(manifest: &Manifest, out: &mut impl Write) -> io::Result<()> {
    let counts = &manifest.counts;
    let parts = match counts.streams {
        0 => String::new(),
        streams => format!(" ({streams} in parts)"),
    };
    let rows = [
        ("snapshot", manifest.key.snapshot_id.to_string()),
        (
            "source",
            format!("{} ({})", manifest.key.source_id, manifest.source_kind),
        ),
        ("tenant", manifest.key.tenant_id.to_string()),
        ("job", manifest.job_id.to_string()),
        ("created", manifest.created_at.to_rfc3339()),
        ("state", manifest.state.to_string()),
        ("transport", manifest.transport.clone()),
        (
            "written by",
            format!("{} {}", manifest.tool.name, manifest.tool.version),
        ),
        ("format", format!("{} {}", manifest.format, manifest.version)),
        (
            "entries",
            format!(
                "{} files{}, {} directories, {} symlinks, {} hard links",
                counts.files, parts, counts.directories, counts.symlinks, counts.hardlinks
            ),
        ),
        ("content", format!("{} bytes", manifest.sizes.content)),
        ("warnings", manifest.warnings.count.to_string()),
        ("encryption", manifest.encryption.algorithm.clone()),
        ("recipients", manifest.encryption.recipients.join(", ")),
    ];
    for (name, value) in rows {
        writeln!(out, "{name:<12}{value}")?;
    }
    for (kind, count) in &manifest.warnings.by_kind {
        writeln!(out, "{:<12}{count} {kind}", "")?;
    }
    for (name, sum) in &manifest.files {
        writeln!(out, "{name}: {} bytes, sha256 {}", sum.bytes, sum.sha256)?;
    }
    for sentence in &manifest.not_carried {
        writeln!(out, "not carried: {sentence}")?;
    }
    Ok(())
}
