//! What a killed predecessor left of PostgreSQL.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

/// How long a predecessor's server may take to stop after the signal its parent's death sent it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until no server runs in `cluster` and removes a lock file that no server holds. The caller
/// holds the lock of the whole data directory, so nobody starts a server meanwhile.
///
/// PostgreSQL itself refuses to start if the process id in its lock file belongs to any process of
/// the same user, which after a reboot or in a container is often somebody else.
pub fn clear(cluster: &Path) -> anyhow::Result<()> {
    let lock = cluster.join("postmaster.pid");
    let deadline = Instant::now() + PATIENCE;
    while let Some(pid) = holder(&lock) {
        if !serves(pid, cluster) {
            return fs::remove_file(&lock).with_context(|| format!("cannot remove {}", lock.display()));
        }
        if Instant::now() > deadline {
            bail!(
                "PostgreSQL (process {pid}) still runs in {}: stop it first",
                cluster.display()
            );
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn holder(lock: &Path) -> Option<u32> {
    let text = fs::read_to_string(lock).ok()?;
    // An unreadable lock file is treated like one of a dead process.
    Some(text.lines().next()?.trim().parse().unwrap_or(0))
}

/// True if process `pid` is a server of this cluster: it works in the cluster's directory. Where
/// there is no /proc, PostgreSQL's own check has the last word.
fn serves(pid: u32, cluster: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    match fs::read_link(process.join("cwd")) {
        Ok(directory) => fs::canonicalize(cluster).is_ok_and(|cluster| cluster == directory),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_of_a_dead_or_foreign_process_is_removed() {
        let cluster = tempfile::tempdir().unwrap();
        for pid in [
            std::process::id().to_string(),
            "4194305".to_owned(),
            String::from("junk"),
        ] {
            let lock = cluster.path().join("postmaster.pid");
            fs::write(&lock, format!("{pid}\n/elsewhere\n")).unwrap();
            clear(cluster.path()).unwrap();
            assert!(!lock.exists(), "{pid}");
        }
    }
}
