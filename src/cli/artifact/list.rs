//! `xvault artifact list`

use std::io::{self, BufWriter, Write};

use chrono::DateTime;

use super::{
    Target,
    opened::{open, told},
};
use crate::{
    artifact::{Listed, list},
    domain::{
        entry::{Entry, EntryKind},
        error_code::ErrorCode,
        escaped::escape,
        job::JobError,
    },
};

/// Options of `list`.
#[derive(clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    target: Target,
    /// Only the paths, one a line, as `extract` takes them
    #[arg(long)]
    paths: bool,
}

/// Prints the index like `tar tv`; problems go to standard error.
pub(super) fn run(args: &ListArgs) -> anyhow::Result<()> {
    let (files, keys) = open(&args.target)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut gone = false;
    let mut print = |listed: Listed| -> Result<(), JobError> {
        let printed = match listed {
            Listed::Entry(entry) if args.paths => writeln!(out, "{}", escape(entry.path.as_bytes())),
            Listed::Entry(entry) => writeln!(out, "{}", line(&entry)),
            Listed::Problem(problem) => {
                eprintln!("{}: {}: {}", problem.kind.as_str(), problem.path, problem.message);
                Ok(())
            }
        };
        printed.map_err(|error| {
            // `list | head` is no failure.
            gone = error.kind() == io::ErrorKind::BrokenPipe;
            JobError::new(ErrorCode::StorageFailed, format!("standard output: {error}"), "")
        })
    };
    match list(&files, &keys, &mut print) {
        Err(_) if gone => Ok(()),
        result => {
            result.map_err(told)?;
            out.flush()?;
            Ok(())
        }
    }
}

fn line(entry: &Entry) -> String {
    let (kind, size, link) = match &entry.kind {
        EntryKind::File { size } => ('-', *size, String::new()),
        EntryKind::Directory => ('d', 0, String::new()),
        EntryKind::Symlink { target } => ('l', 0, format!(" -> {}", escape(target))),
        EntryKind::HardLink { target } => ('h', 0, format!(" link to {}", escape(target.as_bytes()))),
    };
    let owner = format!("{}/{}", entry.uid, entry.gid);
    let mtime = DateTime::from_timestamp(entry.mtime.seconds, entry.mtime.nanos).map_or_else(
        || entry.mtime.seconds.to_string(),
        |time| time.format("%Y-%m-%d %H:%M:%S").to_string(),
    );
    let path = escape(entry.path.as_bytes());
    format!(
        "{kind}{} {owner:>11} {size:>12} {mtime} {path}{link}",
        rights(entry.mode)
    )
}

/// `rwxr-x---`, with set-id and sticky as ls shows them.
fn rights(mode: u32) -> String {
    let special = [
        (0o4000, 0o100, 's', 'S'),
        (0o2000, 0o010, 's', 'S'),
        (0o1000, 0o001, 't', 'T'),
    ];
    let mut text: Vec<char> = (0..9)
        .map(|bit| {
            if mode & (0o400 >> bit) == 0 {
                '-'
            } else {
                ['r', 'w', 'x'][bit % 3]
            }
        })
        .collect();
    for (place, (bit, execute, with, without)) in special.into_iter().enumerate() {
        if mode & bit != 0 {
            text[place * 3 + 2] = if mode & execute == 0 { without } else { with };
        }
    }
    text.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_look_as_in_ls() {
        assert_eq!(rights(0o755), "rwxr-xr-x");
        assert_eq!(rights(0o6644), "rwSr-Sr--");
        assert_eq!(rights(0o1777), "rwxrwxrwt");
    }
}
