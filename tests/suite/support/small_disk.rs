//! A small file system of its own, which a test can fill.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::scratch::temp_dir;

/// A mounted tmpfs; gone with the value.
pub struct SmallDisk {
    directory: tempfile::TempDir,
}

impl SmallDisk {
    /// A disk of `mebibytes`.
    pub fn new(mebibytes: u32) -> Self {
        let directory = temp_dir("disk");
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={mebibytes}m,mode=700"),
                "xvault-test",
            ])
            .arg(directory.path())
            .output()
            .expect("mount (package mount)");
        assert!(
            mounted.status.success(),
            "tests of full disks mount a tmpfs, which needs root and CAP_SYS_ADMIN (docker run --privileged): {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        Self { directory }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Takes all space but `left` bytes.
    pub fn fill(&self, left: u64) {
        let space = rustix::fs::statvfs(self.path()).expect("a file system");
        let free = space.f_bavail * space.f_frsize;
        let taken = usize::try_from(free.saturating_sub(left)).expect("a small disk");
        // Written, not only reserved; what does not fit is somebody else's just now.
        let _ = fs::write(self.ballast(), vec![0; taken]);
    }

    /// Gives the space back.
    pub fn empty(&self) {
        let _ = fs::remove_file(self.ballast());
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(self.path());
    }
}

/// Takes a file system away, whoever still looks at it.
pub fn unmount(path: &Path) {
    // It may be gone already.
    let _ = Command::new("umount").arg("--lazy").arg(path).output();
}

#[test]
fn a_full_disk_says_so() {
    let disk = SmallDisk::new(1);
    disk.fill(4096);
    let error = fs::write(disk.path().join("more"), vec![0; 100_000]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    disk.empty();
    fs::write(disk.path().join("more"), vec![0; 100_000]).unwrap();
}
