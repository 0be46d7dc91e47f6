//! The directory of one server: whose it is, where it lies, how much room is there, and what becomes of one whose worker
//! was killed.
//!
//! Database servers refuse to run as root. A worker that is root lets them run as `nobody`, who has to be able to reach the
//! directory.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};

use super::{Ground, reap};
use crate::domain::{error_code::ErrorCode, job::JobError};

const PREFIX: &str = "xvault-proof-";
const LOCK: &str = "lock";
const RANDOM: usize = 12;

/// Where servers of a root worker go that cannot reach the worker's own directory. On a disk, unlike `/tmp` on many systems.
const ELSEWHERE: &str = "/var/tmp";

/// A socket's path has at most 107 bytes; this much is below the directory.
const LONGEST: usize = 107 - "/xvault-proof-012345678901/own/.s.PGSQL.5432.lock".len();

/// How often it is looked whether there is room left.
const NOW_AND_THEN: Duration = Duration::from_secs(1);

/// User and group `nobody`.
pub(super) const NOBODY: u32 = 65534;

/// A directory, removed on drop, after everything that runs in it.
#[derive(Debug)]
pub(super) struct Place {
    dir: tempfile::TempDir,
    leave_free: u64,
    _lock: File,
}

impl Place {
    /// Makes one.
    pub(super) fn make(ground: &Ground) -> Result<Self, JobError> {
        let base = base(&ground.tmp_dir);
        let place = Self::create(&base, ground.leave_free).map_err(|error| {
            JobError::new(
                ErrorCode::Internal,
                format!(
                    "no directory for a database server can be made in {}: {error}",
                    base.display()
                ),
                "Check the worker's XVAULT_TMP_DIR.",
            )
        })?;
        match place.free() {
            Some(free) if free < ground.expected.saturating_add(ground.leave_free) => Err(JobError::new(
                ErrorCode::WorkspaceFull,
                format!(
                    "loading the dump may take {} MiB in {}, which has {} MiB free and is to keep {} MiB",
                    ground.expected >> 20,
                    base.display(),
                    free >> 20,
                    ground.leave_free >> 20
                ),
                "Make room there, or give the worker another XVAULT_TMP_DIR.",
            )),
            _ => Ok(place),
        }
    }

    fn create(base: &Path, leave_free: u64) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(base)?;
        // The server's account may pass, and find nothing here by itself.
        let mode = if is_root() { 0o711 } else { 0o700 };
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(RANDOM)
            .permissions(Permissions::from_mode(mode))
            .tempdir_in(base)?;
        let unlocked = dir.path().join("lock.new");
        let lock = File::create_new(&unlocked)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        // Only now under the name the sweep looks at: it never sees an unlocked file of a living owner.
        fs::rename(unlocked, dir.path().join(LOCK))?;
        let place = Self {
            dir,
            leave_free,
            _lock: lock,
        };
        let own = place.own();
        fs::DirBuilder::new().mode(0o700).create(&own)?;
        if is_root() {
            chown(&own, Some(NOBODY), Some(NOBODY))?;
        }
        Ok(place)
    }

    /// The server's own directory.
    pub(super) fn own(&self) -> PathBuf {
        self.dir.path().join("own")
    }

    /// Makes a directory in it that is the server's.
    pub(super) fn make_directory(&self, name: &str) -> Result<(), JobError> {
        let path = self.own().join(name);
        let made = fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .and_then(|()| match is_root() {
                true => chown(&path, Some(NOBODY), Some(NOBODY)),
                false => Ok(()),
            });
        made.map_err(|error| {
            JobError::new(
                ErrorCode::Internal,
                format!("{} cannot be made: {error}", path.display()),
                "Check the worker's XVAULT_TMP_DIR.",
            )
        })
    }

    /// Watches over its disk.
    pub(super) fn room(&self) -> Room {
        Room {
            dir: self.dir.path().to_owned(),
            leave_free: self.leave_free,
        }
    }

    fn free(&self) -> Option<u64> {
        free(self.dir.path())
    }
}

/// The disk a server lies on.
#[derive(Debug)]
pub struct Room {
    dir: PathBuf,
    leave_free: u64,
}

impl Room {
    /// Does `work`, unless the disk gets too full meanwhile.
    ///
    /// # Errors
    /// `workspace_full`, and those of `work`.
    pub async fn suffices<T>(self, work: impl Future<Output = Result<T, JobError>>) -> Result<T, JobError> {
        let watching = async {
            while free(&self.dir).is_none_or(|free| free >= self.leave_free) {
                tokio::time::sleep(NOW_AND_THEN).await;
            }
        };
        tokio::select! {
            done = work => done,
            () = watching => Err(JobError::new(
                ErrorCode::WorkspaceFull,
                format!("the disk of {} got too full while a dump was loaded", self.dir.display()),
                "Make room there, or give the worker another XVAULT_TMP_DIR.",
            )),
        }
    }
}

fn free(dir: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(dir).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize))
}

impl Drop for Place {
    fn drop(&mut self) {
        reap::below(self.dir.path());
    }
}

/// Ends what runs, and removes what lies, in directories whose worker was killed. Returns how many there were.
///
/// # Errors
/// If one cannot be removed; the others are.
pub fn sweep(tmp_dir: &Path) -> io::Result<usize> {
    let (mut removed, mut failed) = (0, Ok(()));
    for base in [tmp_dir, Path::new(ELSEWHERE)] {
        for entry in fs::read_dir(base).into_iter().flatten().flatten() {
            let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
            if !ours || !is_abandoned(&entry.path()) {
                continue;
            }
            reap::below(&entry.path());
            match fs::remove_dir_all(entry.path()) {
                Ok(()) => removed += 1,
                Err(error) => failed = Err(error),
            }
        }
    }
    failed.map(|()| removed)
}

/// True for a directory of ours that nobody holds. Others may make such names too.
fn is_abandoned(dir: &Path) -> bool {
    let ours =
        fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw());
    let lock = || File::open(dir.join(LOCK));
    ours && lock().is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok())
}

fn base(tmp_dir: &Path) -> PathBuf {
    let fits = tmp_dir.is_absolute() && tmp_dir.as_os_str().len() <= LONGEST;
    if fits && (!is_root() || everybody_may_pass(tmp_dir)) {
        return tmp_dir.to_owned();
    }
    ELSEWHERE.into()
}

fn everybody_may_pass(dir: &Path) -> bool {
    dir.ancestors()
        .all(|parent| fs::metadata(parent).is_ok_and(|meta| meta.mode() & 0o001 != 0))
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_that_nobody_holds_are_swept() {
        let base = tempfile::tempdir().unwrap();
        let living = Place::create(base.path(), 0).unwrap();
        let dead = base.path().join("xvault-proof-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        let foreign = base.path().join("conn-1");
        fs::create_dir(&foreign).unwrap();
        sweep(base.path()).unwrap();
        assert!(living.own().exists() && foreign.exists() && !dead.exists());
        let path = living.own();
        drop(living);
        assert!(!path.exists());
    }
}
