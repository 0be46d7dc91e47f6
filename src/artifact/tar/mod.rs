//! The tar stream of an artifact: entries to header blocks and back. Knows nothing of frames,
//! encryption or the index.

pub(crate) mod decode;
pub(crate) mod encode;

/// Bytes in a tar block.
pub(crate) const BLOCK: u64 = 512;

/// What ends a tar stream: two zero blocks.
pub(crate) const END: [u8; 2 * BLOCK as usize] = [0; 2 * BLOCK as usize];

/// Most bytes of pax records taken from a source per entry.
pub(crate) const MAX_PAX: usize = 1024 * 1024;

/// Most bytes of header blocks an entry can have: [`MAX_PAX`] and two names of
/// [`crate::domain::entry::MAX_PATH`], rounded up generously.
pub(crate) const MAX_HEAD: u64 = 2 * 1024 * 1024;

/// Zero bytes that follow `size` bytes of data.
pub(crate) fn padding(size: u64) -> u64 {
    (BLOCK - size % BLOCK) % BLOCK
}
