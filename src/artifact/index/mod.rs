//! The encrypted list of what an artifact holds: one JSON line per entry and problem. Knows
//! nothing of what stands in the tar beyond where each entry lies.

mod line;
pub(crate) mod read;
pub(crate) mod write;

use crate::{
    artifact::{Counts, manifest::Sizes},
    domain::entry::{Entry, Problem},
};

/// `format` in the index's header.
const FORMAT: &str = "xvault-index";

/// Longest line a reader accepts, in bytes.
const MAX_LINE: usize = 1024 * 1024;

/// How the stored content of a file differs from what the source had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Content {
    /// It changed while it was read.
    Changed,
    /// It ended early; the rest is zeros.
    Padded,
    /// It was longer than announced; the rest is missing.
    Cut,
    /// Reading failed; the rest is zeros.
    Unreadable,
}

/// An entry and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The entry; its pax records stand in the tar only.
    pub(crate) entry: Entry,
    /// Where its first header block begins in the tar.
    pub(crate) offset: u64,
    /// Bytes of headers, data and padding.
    pub(crate) length: u64,
    /// Which part of a stream it is, from 1, if it is one.
    pub(crate) part: Option<u32>,
    /// BLAKE3 of the content, of files.
    pub(crate) blake3: Option<[u8; 32]>,
    /// Set if the content is not what the source had.
    pub(crate) content: Option<Content>,
    /// Bytes that really came, where that is fewer than the size.
    pub(crate) captured: Option<u64>,
}

/// A file that is stored in parts, which stand before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    /// The file they make together.
    pub(crate) entry: Entry,
    /// How many they are.
    pub(crate) parts: u32,
    /// BLAKE3 of the whole content.
    pub(crate) blake3: [u8; 32],
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// Something stored.
    Entry(Record),
    /// What the parts before it make together.
    Stream(Stream),
    /// Something to know.
    Problem(Problem),
    /// The last line.
    Trailer(Counts, Sizes),
}
