//! Seekable zstd inside age: how both encrypted files of an artifact are made and read. Knows
//! nothing of what the bytes mean.

pub(crate) mod hashed;
pub(crate) mod pipeline;
pub(crate) mod read;
pub(crate) mod seal;
pub(crate) mod seek_table;
pub(crate) mod single;
pub(crate) mod unseal;

/// Bytes of content in a frame; the last one of a file may hold fewer.
pub(crate) const FRAME: usize = 2 * 1024 * 1024;

/// zstd's compression level.
const LEVEL: i32 = 3;

/// A compressor with the settings of the format.
fn compressor() -> std::io::Result<zstd::bulk::Compressor<'static>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
    Ok(compressor)
}

/// One compressed frame on its way.
struct Frame {
    compressed: Vec<u8>,
    /// Bytes of content, at most [`FRAME`].
    content: u32,
}
