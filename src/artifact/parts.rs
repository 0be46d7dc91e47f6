//! How files of unknown size lie in the tar: in parts, each a file of its own.

use crate::domain::entry::{EntryPath, InvalidPath};

/// Most bytes of a part. What a writer keeps in memory of a stream.
pub(crate) const SEGMENT: usize = 8 * 1024 * 1024;

/// Most parts of a stream: so many can be numbered with six digits, and joined by name. Nearly 8 TiB.
pub(crate) const MAX_PARTS: u32 = 999_999;

/// Most streams in parts of an artifact. A reader keeps the size of each.
pub(crate) const MAX_STREAMS: u64 = 65_536;

/// The name of a part, the first being 1.
pub(crate) fn part_path(stream: &EntryPath, part: u32) -> Result<EntryPath, InvalidPath> {
    let suffix = format!(".part{part:06}");
    EntryPath::new(&[stream.as_bytes(), suffix.as_bytes()].concat())
}

/// The stream that a file of this name is that part of.
pub(crate) fn stream_of(part_path: &EntryPath, part: u32) -> Option<EntryPath> {
    let suffix = format!(".part{part:06}");
    let stream = part_path.as_bytes().strip_suffix(suffix.as_bytes())?;
    EntryPath::new(stream).ok().filter(|path| path.as_bytes() == stream)
}
