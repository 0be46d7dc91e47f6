//! Child processes that do not outlive us, however we end.

use std::{
    ffi::OsStr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::bail;

use super::account::Account;

/// A command whose process gets `signal` when the thread that spawned it ends, SIGKILL included:
/// spawn it from a thread that lives as long as the child should. With `account`, it runs as that
/// account, with `capability` if that is named.
///
/// The child stands in a process group of its own, so Ctrl-C in a terminal reaches only us and we
/// can stop our children in order.
///
/// util-linux's `setpriv` does both without `unsafe`. Where there is none (macOS), children are
/// stopped on every orderly end but survive a SIGKILL of ours.
pub fn leashed(
    program: &Path,
    signal: &str,
    account: Option<&Account>,
    capability: Option<&str>,
) -> anyhow::Result<Command> {
    let mut command = match (in_path("setpriv"), account) {
        (Some(setpriv), account) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", signal]);
            if let Some(Account { uid, gid }) = account {
                command.args([format!("--reuid={uid}"), format!("--regid={gid}")]);
                command.arg("--clear-groups");
            }
            if let Some(capability) = capability {
                command.args([
                    format!("--inh-caps=+{capability}"),
                    format!("--ambient-caps=+{capability}"),
                ]);
            }
            command.arg("--").arg(program);
            command
        }
        (None, None) => Command::new(program),
        (None, Some(_)) => bail!("setpriv is not installed; it starts PostgreSQL as another user: install util-linux"),
    };
    command.process_group(0);
    Ok(command)
}

/// The first executable of this name in `PATH`.
pub fn in_path(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name.as_ref()))
        .find(|candidate| candidate.is_file())
}
