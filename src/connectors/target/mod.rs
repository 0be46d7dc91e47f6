//! Where files are written to: what a restore needs of a server, and the restore itself.
//!
//! [`FileTarget`] is all that a protocol has to offer. Everything that must be the same whatever the protocol is
//! decided above it: what is written and what stays, that a file appears whole or not at all, that nothing is written
//! through a link. Knows nothing of artifacts, jobs or the database. Names are bytes.

mod base;
mod crew;
mod decide;
mod directories;
mod files;
mod restore;
mod rights;
mod shared;
mod tally;

pub use restore::{Item, Order, restore};

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::{entry::Mtime, job::JobError};

/// A server that files can be written to, connected and logged in. Several calls may be under way at once.
///
/// Paths are absolute. No call follows a link at a path's end; that none of the directories above is a link is seen
/// to by the caller.
#[async_trait]
pub trait FileTarget: Send + Sync {
    /// `host:port`, for messages.
    fn place(&self) -> &str;

    /// What it can do.
    fn abilities(&self) -> Abilities;

    /// Who the server takes us for, where that can be known: what is missing is then seen before anything is written.
    fn login(&self) -> Option<&Login> {
        None
    }

    /// What is there, links not followed; `None` if nothing is.
    async fn look(&self, path: &[u8]) -> Result<Option<Found>, TargetError>;

    /// The same place without links; the path exists.
    async fn real_path(&self, path: &[u8]) -> Result<Vec<u8>, TargetError>;

    /// Makes a directory, where nothing is.
    async fn make_dir(&self, path: &[u8], mode: u32) -> Result<(), TargetError>;

    /// Begins a file that nobody but its owner can read yet. What is there already, a rest of an earlier attempt, is
    /// removed first, never written into.
    async fn create(&self, path: &[u8]) -> Result<Box<dyn FileWriter>, TargetError>;

    /// Makes a symbolic link. Only where [`Abilities::symlinks`].
    async fn make_symlink(&self, path: &[u8], target: &[u8]) -> Result<(), TargetError>;

    /// Makes another name of a file. Only where [`Abilities::hard_links`].
    async fn make_hard_link(&self, path: &[u8], file: &[u8]) -> Result<(), TargetError>;

    /// Gives something that exists its owner, mode and time, as far as the target can. Not for files, which
    /// [`FileWriter::finish`] settles.
    async fn settle(&self, path: &[u8], kind: FoundKind, how: &Settle) -> Result<(), TargetError>;

    /// Moves what was made under a temporary name to where it belongs, in place of a file or link that may be there:
    /// in one step where the target can, otherwise with a moment in between in which neither is there.
    async fn put_in_place(&self, temporary: &[u8], path: &[u8]) -> Result<(), TargetError>;

    /// Removes what was made under a temporary name. That nothing is there is no error.
    async fn remove(&self, temporary: &[u8]) -> Result<(), TargetError>;

    /// How much room there is around a directory that exists; `None` if the target does not tell.
    async fn room(&self, directory: &[u8]) -> Result<Option<Room>, TargetError>;

    /// What could not be given to what was written, a sentence each. Grows while writing.
    fn missed(&self) -> Vec<String> {
        Vec::new()
    }

    /// Ends the connection; returns when nothing of it is left.
    async fn close(&self);
}

/// A file that is being written.
#[async_trait]
pub trait FileWriter: Send {
    /// Takes the next bytes; may return before they have arrived, but never keeps more than a bounded number.
    async fn write(&mut self, data: Bytes) -> Result<(), TargetError>;

    /// Returns once everything has arrived, is durable where the target can promise that, and has its owner, mode and
    /// time. A writer that is dropped instead leaves the file behind, for the caller to remove.
    async fn finish(self: Box<Self>, how: &Settle) -> Result<(), TargetError>;
}

/// What a target can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// It can make symbolic links.
    pub symlinks: bool,
    /// It can give a file another name; otherwise the content is written again.
    pub hard_links: bool,
    /// It can set modes.
    pub modes: bool,
    /// It can set owners, if the login may.
    pub owners: bool,
    /// It can set the time of files.
    pub file_times: bool,
    /// Files worth writing at the same time, at least 1.
    pub lanes: usize,
}

/// An account on a target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// Its numeric id; 0 may do anything.
    pub user: u32,
    /// Its groups; `None` if only the user is known.
    pub groups: Option<Vec<u32>>,
}

/// What a file, directory or link shall be like. What is `None` stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settle {
    /// Numeric owner and group.
    pub owner: Option<(u32, u32)>,
    /// Permission bits.
    pub mode: Option<u32>,
    /// Last change.
    pub mtime: Option<Mtime>,
}

/// What something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, with where it points if that was asked of the target at once.
    Symlink {
        /// Its target, unless unknown.
        target: Option<Vec<u8>>,
    },
    /// Anything else: a device, a socket.
    Other,
}

/// Something that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: FoundKind,
    /// Bytes of content, of files.
    pub size: Option<u64>,
    /// Last change in seconds since 1970, if the target tells it exactly to the second.
    pub mtime: Option<i64>,
    /// Permission bits, if the target tells them.
    pub mode: Option<u32>,
    /// Numeric owner and group, if the target tells them.
    pub owner: Option<(u32, u32)>,
}

/// What is left of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that the login may still write.
    pub free_bytes: u64,
    /// False if no further file can be made although there are bytes left.
    pub free_files: bool,
    /// True if nothing can be written to it.
    pub read_only: bool,
}

/// Why something could not be done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TargetError {
    /// The target refused this one request; others may go well.
    #[error("{message}")]
    Refused {
        /// What kind of refusal, as far as the target tells.
        why: Refusal,
        /// The target's words, cleaned and shortened; the end of a sentence about the path.
        message: String,
    },
    /// The conversation is over.
    #[error("{0}")]
    Over(JobError),
}

/// Kinds of refusals that make a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The login may not.
    Denied,
    /// There is no room left, and the target said so by itself.
    Full,
    /// Anything else.
    Other,
}
