//! The lock of a storage: one process has it open at a time, and its text tells the next one who.

use std::{
    fs::File,
    io::{Read, Seek, Write},
};

use rustix::fs::{FlockOperation, flock};

use super::{root::Root, said, shown};
use crate::{domain::ids::WorkerId, storage::StorageError};

const LOCK: &str = ".lock";

/// Takes the lock of the storage that lies there.
pub(super) fn take(root: &Root, worker_id: &WorkerId) -> Result<File, StorageError> {
    let path = root.path().join(LOCK);
    let mut file = root.open_or_make(LOCK).map_err(|error| said(&path, error))?;
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
            place: shown(root.path()),
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

/// True if `held` is the lock of what lies there. After another disk was mounted it is not.
pub(super) fn is_current(held: &File, root: &Root) -> bool {
    held.metadata().is_ok_and(|held| root.has_as(LOCK, &held))
}
