//! Reads a tar stream from a source that is not trusted: bytes in, entries out.
//!
//! A pure state machine: it does no I/O, knows nothing of SSH or of the packer, and holds at most
//! one extended header and one sparse map, both capped. Content is passed on as slices of the chunks
//! it was given. It understands v7, ustar, pax (global and per file), GNU long names, base-256
//! numbers, and sparse files in GNU's four forms, which it expands: content comes out as a reader of
//! the file would have seen it.

mod header;
mod input;
mod meta;
mod numbers;
mod parser;
mod pax;
mod sparse;

pub use parser::{TarEvent, TarStream};

/// Largest pax header accepted, in bytes. XFS allows the most attributes; real headers stay below this.
pub const MAX_PAX: u64 = 4 * 1024 * 1024;

/// Largest file accepted, in bytes (16 TiB, what ext4 allows). It bounds how many zeros a small lie
/// about a sparse file can make us write.
pub const MAX_FILE: u64 = 16 << 40;

/// Why a tar stream cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TarError {
    /// It is no tar, or a damaged one.
    #[error("the tar stream is damaged: {0}")]
    Damaged(String),
    /// It asks for more than any honest source needs.
    #[error("the tar stream exceeds a limit: {0}")]
    Limit(String),
    /// It ended before its end marker.
    #[error("the tar stream ended early, {0}")]
    Truncated(&'static str),
}

impl TarError {
    fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }
}

#[cfg(test)]
mod tests;
