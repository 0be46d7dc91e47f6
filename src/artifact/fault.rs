//! Why an artifact could not be read.

use std::io;

use crate::{
    domain::{error_code::ErrorCode, job::JobError, snapshot::ArtifactFile},
    storage::StorageError,
};

/// What went wrong while reading an artifact.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The content contradicts its hashes or the format.
    #[error("{} is damaged: {what}", .place.0.name())]
    Damaged {
        /// Which file.
        place: Place,
        /// What is wrong with it.
        what: String,
    },
    /// It was written by a later version.
    #[error("{} has format version {version}, which this program does not know", .place.0.name())]
    TooNew {
        /// Which file.
        place: Place,
        /// Its version.
        version: u64,
    },
    /// The key opens another file.
    #[error("the key does not open {}", .0.0.name())]
    WrongKey(Place),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Reading failed.
    #[error("reading {}: {error}", .place.0.name())]
    Read {
        /// Which file.
        place: Place,
        /// What the system said.
        error: io::Error,
    },
    /// A reason that has nothing to do with the artifact's state.
    #[error(transparent)]
    Other(#[from] JobError),
}

/// Which of the files a fault is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) ArtifactFile);

impl Place {
    pub(crate) fn damaged(self, what: impl Into<String>) -> Fault {
        Fault::Damaged {
            place: self,
            what: what.into(),
        }
    }

    /// age reports content that does not authenticate as an I/O error of these kinds.
    pub(crate) fn read_failed(self, error: io::Error) -> Fault {
        match error.kind() {
            io::ErrorKind::InvalidData => self.damaged("its content does not authenticate"),
            io::ErrorKind::UnexpectedEof => self.damaged("it is cut short"),
            _ => Fault::Read { place: self, error },
        }
    }

    pub(crate) fn no_header(self, error: age::DecryptError) -> Fault {
        match error {
            age::DecryptError::Io(error) => self.read_failed(error),
            _ => self.damaged("its age header makes no sense"),
        }
    }
}

impl Fault {
    /// The error of a job that reads the snapshot called `snapshot`.
    pub(crate) fn into_job_error(self, snapshot: &str) -> JobError {
        let message = format!("{snapshot}: {self}");
        match self {
            Fault::Damaged { .. } => JobError::new(
                ErrorCode::SnapshotDamaged,
                message,
                "restore from another snapshot, and check the disk this one lies on",
            ),
            Fault::TooNew { .. } => JobError::new(
                ErrorCode::SnapshotTooNew,
                message,
                "use the program version that its manifest.json names",
            ),
            Fault::WrongKey(_) => JobError::new(
                ErrorCode::KeyUnavailable,
                message,
                "use the key of the tenant this snapshot belongs to",
            ),
            Fault::Storage(StorageError::Io { .. }) | Fault::Read { .. } => JobError::new(
                ErrorCode::SnapshotUnreadable,
                message,
                "look at the disk the snapshot lies on; when all of it can be read again, it is whole again by itself",
            ),
            Fault::Storage(error) => error.into(),
            Fault::Other(error) => error,
        }
    }
}
