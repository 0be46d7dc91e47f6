//! Ends what runs in a directory. PostgreSQL's processes leave their parent's process group, and one that is busy does not
//! see that its parent is gone; but each works in the directory of its data.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// For killed processes to be gone. One that waits for a disk may take longer, and is left.
const PATIENCE: Duration = Duration::from_secs(5);

/// Kills every process whose working directory is `dir` or below it, until there are none.
pub(super) fn below(dir: &Path) {
    let Ok(dir) = fs::canonicalize(dir) else { return };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = inside(&dir);
        if found.is_empty() {
            return;
        }
        for process in found {
            // It may be gone by itself.
            let _ = kill_process(process, Signal::KILL);
        }
        if Instant::now() > deadline {
            tracing::warn!(dir = %dir.display(), "processes of a database server do not end");
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn inside(dir: &Path) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let inside =
        processes.filter(|process| fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir)));
    let number = |process: fs::DirEntry| Pid::from_raw(process.file_name().to_str()?.parse().ok()?);
    inside.filter_map(number).collect()
}
