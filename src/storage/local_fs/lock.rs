//! The lock of a storage: one process has it open at a time, and its text tells the next one who.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

use super::{said, shown};
use crate::{domain::ids::WorkerId, storage::StorageError};

const LOCK: &str = ".lock";

/// Takes the lock of the storage at `base`.
pub(super) fn take(base: &Path, worker_id: &WorkerId) -> Result<File, StorageError> {
    let path = base.join(LOCK);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(&path).map_err(|error| said(&path, error))?;
    if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK {
            return Err(said(&path, error.into()));
        }
        let mut holder = String::new();
        // Whatever cannot be read only makes the message poorer.
        let _ = file.take(200).read_to_string(&mut holder);
        let holder = if holder.is_empty() {
            "another process".to_owned()
        } else {
            holder
        };
        return Err(StorageError::InUse {
            place: shown(base),
            holder,
        });
    }
    let holder = format!("worker {worker_id} (process {})", std::process::id());
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(holder.as_bytes()))
        .map_err(|error| said(&path, error))?;
    Ok(file)
}

/// True if `held` is the lock of what lies at `base` now. After another disk was mounted there it is not.
pub(super) fn is_current(held: &File, base: &Path) -> bool {
    let place = |meta: fs::Metadata| (meta.dev(), meta.ino());
    match (held.metadata(), fs::metadata(base.join(LOCK))) {
        (Ok(held), Ok(there)) => place(held) == place(there),
        _ => false,
    }
}
