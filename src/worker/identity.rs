//! Who this worker is: an id made on the first start and kept in its data directory, which one
//! process uses at a time.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::domain::ids::WorkerId;

const ID_FILE: &str = "worker_id";
const LOCK_FILE: &str = "worker.lock";

/// Why a worker has no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Another process has the data directory.
    #[error("{path} is used by another worker process; stop it, or give this one its own XVAULT_DATA_DIR")]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// The directory belongs to a worker of another id.
    #[error(
        "{path} belongs to worker {found}, but XVAULT_WORKER_ID says {wanted}; snapshots are found by that id, \
         so give the new worker a directory of its own"
    )]
    OtherWorker {
        /// The id file.
        path: PathBuf,
        /// The id in it.
        found: WorkerId,
        /// The configured one.
        wanted: WorkerId,
    },
    /// The id file holds something else.
    #[error("{path} does not hold a worker id (wrk_…); restore it from a backup of this machine")]
    Unreadable {
        /// The id file.
        path: PathBuf,
    },
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The identity, and the data directory that is ours as long as this value lives.
#[derive(Debug)]
pub struct Identity {
    /// The lasting id.
    pub id: WorkerId,
    _lock: File,
}

impl Identity {
    /// True if the directory has an identity.
    pub fn is_in(data_dir: &Path) -> bool {
        data_dir.join(ID_FILE).is_file()
    }

    /// Takes the data directory (made if missing) and reads the id, or makes one. A `configured` id
    /// must agree with the one in the directory.
    pub fn take(data_dir: &Path, configured: Option<&WorkerId>) -> Result<Self, IdentityError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| IdentityError::Io { path, source }
        };
        fs::create_dir_all(data_dir).map_err(at(data_dir))?;
        let lock_path = data_dir.join(LOCK_FILE);
        let lock = File::create(&lock_path).map_err(at(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(IdentityError::InUse {
                    path: data_dir.to_owned(),
                });
            }
            Err(fs::TryLockError::Error(source)) => return Err(at(&lock_path)(source)),
        }
        let path = data_dir.join(ID_FILE);
        let id = match fs::read_to_string(&path) {
            Ok(text) => match text.trim().parse::<WorkerId>() {
                Ok(found) => found,
                Err(_) => return Err(IdentityError::Unreadable { path }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let id = configured.cloned().unwrap_or_else(WorkerId::generate);
                keep(data_dir, &path, &id).map_err(at(&path))?;
                id
            }
            Err(source) => return Err(at(&path)(source)),
        };
        match configured {
            Some(wanted) if *wanted != id => Err(IdentityError::OtherWorker {
                path,
                found: id,
                wanted: wanted.clone(),
            }),
            _ => Ok(Self { id, _lock: lock }),
        }
    }
}

/// Written aside and renamed: half an id would be another id.
fn keep(data_dir: &Path, path: &Path, id: &WorkerId) -> io::Result<()> {
    let aside = data_dir.join(format!("{ID_FILE}.new"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&aside)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    File::open(data_dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_lasts_and_the_directory_is_one_process_s() {
        let dir = tempfile::tempdir().unwrap();
        let first = Identity::take(dir.path(), None).unwrap();
        assert!(matches!(
            Identity::take(dir.path(), None),
            Err(IdentityError::InUse { .. })
        ));
        let id = first.id.clone();
        drop(first);
        assert_eq!(Identity::take(dir.path(), Some(&id)).unwrap().id, id);
        let other = WorkerId::generate();
        assert!(matches!(
            Identity::take(dir.path(), Some(&other)),
            Err(IdentityError::OtherWorker { .. })
        ));
        fs::write(dir.path().join(ID_FILE), "../../etc").unwrap();
        assert!(matches!(
            Identity::take(dir.path(), None),
            Err(IdentityError::Unreadable { .. })
        ));
    }
}
