//! One directory per test process for everything on disk. A process that was killed leaves its own
//! behind; the next one removes it.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

const PREFIX: &str = "xvt-";

struct Scratch {
    path: PathBuf,
    /// Held while the process lives; that is how others see whose directory is abandoned.
    _lock: File,
}

/// The directory of this process: short, because sockets lie in it, and open to the accounts that
/// servers run as.
pub fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<Scratch> = OnceLock::new();
    &SCRATCH
        .get_or_init(|| {
            remove_abandoned();
            let path = Path::new("/tmp").join(format!("{PREFIX}{}", std::process::id()));
            // Of an earlier process with our number: ours cannot exist yet.
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).expect("a directory in /tmp");
            fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("its mode");
            let lock = File::create(path.join("lock")).expect("a lock file");
            lock.try_lock().expect("a lock nobody else knows");
            Scratch { path, _lock: lock }
        })
        .path
}

/// A fresh directory that goes when the value does.
pub fn temp_dir(name: &str) -> tempfile::TempDir {
    let directory = tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(scratch());
    directory.expect("a temporary directory")
}

fn remove_abandoned() {
    for entry in fs::read_dir("/tmp").expect("/tmp").flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // Without a lock file it is being made just now, or is not ours.
        let Ok(lock) = File::open(entry.path().join("lock")) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            small_disks_below(&entry.path());
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Unmounts what a killed process had mounted.
fn small_disks_below(directory: &Path) {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for place in places.map(Path::new).filter(|place| place.starts_with(directory)) {
        super::small_disk::unmount(place);
    }
}
