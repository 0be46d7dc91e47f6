//! Names in the staging directory, and which of them are in use.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::said;
use crate::storage::StorageError;

/// The staging directory of one storage.
pub(super) struct Staging {
    dir: PathBuf,
    used: Arc<Mutex<HashSet<PathBuf>>>,
}

/// A name in the staging directory, ours until this value is dropped.
pub(super) struct Reserved {
    path: PathBuf,
    used: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Staging {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            used: Arc::default(),
        }
    }

    /// Where it is.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A fresh name; nothing stands there yet.
    pub(super) fn reserve(&self) -> Reserved {
        let path = self.dir.join(uuid::Uuid::new_v4().simple().to_string());
        lock(&self.used).insert(path.clone());
        Reserved {
            path,
            used: Arc::clone(&self.used),
        }
    }

    /// Removes everything whose name is not in use; says how many there were.
    pub(super) fn sweep(&self) -> Result<usize, StorageError> {
        let mut removed = 0;
        for entry in fs::read_dir(&self.dir).map_err(|error| said(&self.dir, error))? {
            let entry = entry.map_err(|error| said(&self.dir, error))?;
            let path = entry.path();
            // A name in use was entered before anything stood there, so what is not in use stays so.
            if lock(&self.used).contains(&path) {
                continue;
            }
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            match if is_dir {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            } {
                Ok(()) => removed += 1,
                // Its owner was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(said(&path, error)),
            }
        }
        Ok(removed)
    }
}

impl Reserved {
    /// The path that is reserved.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        lock(&self.used).remove(&self.path);
    }
}

fn lock(used: &Mutex<HashSet<PathBuf>>) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
    // A panic elsewhere does not make this set less true.
    used.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays() {
        let dir = tempfile::tempdir().unwrap();
        let staging = Staging::new(dir.path().to_owned());
        let used = staging.reserve();
        fs::create_dir(used.path()).unwrap();
        fs::write(used.path().join("backup"), "half").unwrap();
        fs::create_dir(dir.path().join("left")).unwrap();
        fs::write(dir.path().join("behind"), "").unwrap();
        assert_eq!(staging.sweep().unwrap(), 2);
        assert!(used.path().join("backup").exists());
        drop(used);
        assert_eq!(staging.sweep().unwrap(), 1);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
