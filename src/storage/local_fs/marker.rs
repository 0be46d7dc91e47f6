//! The marker of a storage: which storage this is and whose. A disk that is not mounted leaves an empty
//! directory behind, and only a file that is *on* the disk tells that from a disk that lost everything.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{root::Root, said, sync_dir};
use crate::{
    domain::ids::{StorageId, WorkerId},
    storage::StorageError,
};

/// Name of the file in the base directory.
pub const MARKER: &str = "storage.json";

/// `format` of the file.
const FORMAT: &str = "xvault-storage";

/// Longest marker that is read, in bytes.
const MAX_MARKER: u64 = 4096;

/// What the marker file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    format: String,
    version: u32,
    /// Which storage this is.
    pub storage_id: StorageId,
    /// The worker whose snapshots lie here.
    pub worker_id: WorkerId,
}

impl Marker {
    /// The marker of a storage that belongs to this worker.
    pub fn new(storage_id: StorageId, worker_id: WorkerId) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: 1,
            storage_id,
            worker_id,
        }
    }
}

/// The marker of what lies there; `None` if there is none.
pub(super) fn read(root: &Root) -> Result<Option<Marker>, StorageError> {
    let path = root.path().join(MARKER);
    let text = match root.read(MARKER, MAX_MARKER) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(said(&path, error)),
    };
    let no_marker = |why: String| said(&path, io::Error::new(io::ErrorKind::InvalidData, why));
    let marker: Marker = serde_json::from_str(&text).map_err(|error| no_marker(format!("is no marker: {error}")))?;
    match marker.format == FORMAT {
        true => Ok(Some(marker)),
        false => Err(no_marker(format!("is no {FORMAT}"))),
    }
}

/// Writes the marker durably: aside and renamed, because half a marker would be another one.
pub(super) fn write(base: &Path, marker: &Marker) -> Result<(), StorageError> {
    let (path, aside) = (base.join(MARKER), base.join(format!("{MARKER}.new")));
    let mut text = serde_json::to_vec_pretty(marker).map_err(|error| said(&path, error.into()))?;
    text.push(b'\n');
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(&aside).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()
    });
    written.map_err(|error| said(&aside, error))?;
    fs::rename(&aside, &path).map_err(|error| said(&path, error))?;
    sync_dir(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_as_it_was_written_and_rubbish_is_none() {
        let base = tempfile::tempdir().unwrap();
        let root = Root::open(base.path()).unwrap();
        assert_eq!(read(&root).unwrap(), None);
        let marker = Marker::new(StorageId::generate(), WorkerId::generate());
        write(base.path(), &marker).unwrap();
        assert_eq!(read(&root).unwrap(), Some(marker));
        for text in [
            "",
            "{}",
            r#"{"format":"x","version":1,"storage_id":"stg_1","worker_id":"wrk_1"}"#,
        ] {
            fs::write(base.path().join(MARKER), text).unwrap();
            assert!(read(&root).is_err(), "{text}");
        }
    }
}
