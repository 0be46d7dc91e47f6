//! The private directory of one connection: sockets and the host key script, nothing secret.
//!
//! It goes with the connection. A worker that is killed cannot remove it, so each directory holds a
//! file that its owner keeps locked: whoever can lock it knows that the owner is gone.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};

const PREFIX: &str = "conn-";
const LOCK: &str = "lock";
/// Random characters in a directory's name.
const RANDOM: usize = 12;

/// Socket paths are limited to 107 bytes on Linux, 103 elsewhere; below the directory ssh, whose paths
/// are the longest, adds `/t/ctl` and, while it makes the socket, a dot and 16 more characters.
const MAX_DIR: usize = 103 - "/t/ctl.0123456789abcdef".len();

/// A directory without its lock file this old was left by a process that died while making it, which takes milliseconds.
const UNFINISHED_AFTER: Duration = Duration::from_secs(10);

/// A private directory, removed on drop.
#[derive(Debug)]
pub(super) struct PrivateDir {
    dir: tempfile::TempDir,
    _lock: File,
}

impl PrivateDir {
    /// Makes one below `tmp_dir`, or below a short directory of our own where `tmp_dir` is too long
    /// for a socket path or holds characters that ssh's options would interpret.
    pub(super) fn create(tmp_dir: &Path) -> io::Result<Self> {
        let base = if suitable(tmp_dir) {
            tmp_dir.to_owned()
        } else {
            fallback_base()?
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&base)?;
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(RANDOM)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(&base)?;
        let unlocked = dir.path().join("lock.new");
        let lock = File::create_new(&unlocked)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        // Only now under the name the sweep looks at: it never sees an unlocked file of a living owner.
        fs::rename(unlocked, dir.path().join(LOCK))?;
        Ok(Self { dir, _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes what connections of dead processes left below `tmp_dir` (and below the short directory used
/// in its stead). To be called when a worker starts. Returns how many were removed.
///
/// # Errors
/// If a directory cannot be listed or removed; what could be removed is.
pub fn sweep_stale(tmp_dir: &Path) -> io::Result<usize> {
    let mut removed = 0;
    let mut failed = Ok(());
    for base in [Some(tmp_dir.to_owned()), fallback_base().ok()].into_iter().flatten() {
        let entries = match fs::read_dir(&base) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                failed = Err(error);
                continue;
            }
        };
        for entry in entries.flatten() {
            let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
            if ours && is_stale(&entry.path()) {
                match fs::remove_dir_all(entry.path()) {
                    Ok(()) => removed += 1,
                    Err(error) => failed = Err(error),
                }
            }
        }
    }
    failed.map(|()| removed)
}

fn is_stale(dir: &Path) -> bool {
    match File::open(dir.join(LOCK)) {
        Ok(lock) => flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok(),
        Err(_) => {
            let age = fs::symlink_metadata(dir)
                .and_then(|meta| meta.modified())
                .map(|time| time.elapsed());
            matches!(age, Ok(Ok(age)) if age > UNFINISHED_AFTER)
        }
    }
}

fn suitable(tmp_dir: &Path) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'_' | b'-');
    let bytes = tmp_dir.as_os_str().as_encoded_bytes();
    tmp_dir.is_absolute()
        && bytes.len() + "/".len() + PREFIX.len() + RANDOM <= MAX_DIR
        && bytes.iter().all(|&b| plain(b))
}

/// `/tmp/xvault-<uid>`, which must be ours: others can make names in `/tmp` too.
fn fallback_base() -> io::Result<PathBuf> {
    let uid = rustix::process::geteuid().as_raw();
    let base = PathBuf::from(format!("/tmp/xvault-{uid}"));
    match DirBuilder::new().mode(0o700).create(&base) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let meta = fs::symlink_metadata(&base)?;
    if !meta.is_dir() || meta.uid() != uid || meta.mode() & 0o077 != 0 {
        let text = format!("{} exists but is not a private directory of this user", base.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_of_dead_owners_are_swept() {
        let base = tempfile::tempdir().unwrap();
        let living = PrivateDir::create(base.path()).unwrap();
        let path = living.path().to_owned();
        // What a SIGKILL leaves: the directory and its lock file, no longer locked.
        let dead = base.path().join("conn-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        let foreign = base.path().join("export-1");
        fs::create_dir(&foreign).unwrap();

        sweep_stale(base.path()).unwrap();
        assert!(path.exists() && foreign.exists() && !dead.exists());
        drop(living);
        assert!(!path.exists());
    }

    #[test]
    fn long_or_strange_directories_are_avoided() {
        let base = tempfile::tempdir().unwrap();
        for name in ["x".repeat(90), "with blank".to_owned(), "100%h".to_owned()] {
            let dir = PrivateDir::create(&base.path().join(name)).unwrap();
            assert!(dir.path().starts_with(fallback_base().unwrap()), "{:?}", dir.path());
            assert_eq!(fs::metadata(dir.path()).unwrap().mode() & 0o777, 0o700);
        }
    }
}
