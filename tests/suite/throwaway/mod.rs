//! Throw-away servers on a worker: what is loaded into them can do nothing, and nothing is left of them.

mod mariadb;
mod postgres;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use xvault::connectors::throwaway::Ground;

use crate::support::scratch::temp_dir;

/// A worker's directory for temporary things, which every account may pass.
pub struct Site {
    tmp: TempDir,
}

impl Site {
    pub fn new() -> Self {
        let tmp = temp_dir("t");
        fs::set_permissions(tmp.path(), fs::Permissions::from_mode(0o711)).unwrap();
        Self { tmp }
    }

    pub fn path(&self) -> &Path {
        self.tmp.path()
    }

    pub fn ground(&self) -> Ground {
        Ground {
            tmp_dir: self.tmp.path().to_owned(),
            expected: 0,
            leave_free: 0,
        }
    }

    /// Directories of servers.
    pub fn servers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.tmp.path()).unwrap().flatten();
        entries.map(|entry| entry.path()).collect()
    }

    /// Command lines of processes that work somewhere in it.
    pub fn processes(&self) -> Vec<String> {
        let processes = fs::read_dir("/proc").unwrap().flatten().map(|process| process.path());
        let inside = |process: &PathBuf| {
            let cwd = fs::read_link(process.join("cwd"));
            let line = fs::read_to_string(process.join("cmdline")).unwrap_or_default();
            cwd.is_ok_and(|cwd| cwd.starts_with(self.path())) || line.contains(&self.path().display().to_string())
        };
        let found = processes.filter(inside);
        found
            .map(|process| fs::read_to_string(process.join("cmdline")).unwrap_or_default())
            .collect()
    }

    pub fn assert_nothing_left(&self) {
        assert_eq!(self.servers(), Vec::<PathBuf>::new());
        assert_eq!(self.processes(), [""; 0]);
    }
}
