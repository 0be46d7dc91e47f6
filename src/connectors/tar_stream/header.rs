//! One 512-byte header block.

use super::{TarError, numbers};

/// Length of a block: everything in a tar is a multiple of it.
pub const BLOCK: usize = 512;

/// A header block whose checksum was right, with its numbers decoded.
#[derive(Debug, Clone)]
pub struct Header {
    /// `prefix/name`, as bytes.
    pub name: Vec<u8>,
    pub link_name: Vec<u8>,
    pub typeflag: u8,
    pub size: u64,
    pub mode: u32,
    pub uid: u64,
    pub gid: u64,
    pub mtime: i64,
}

/// Up to the first NUL.
fn text(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

impl Header {
    /// Decodes a block that is not all zeros.
    pub fn parse(block: &[u8; BLOCK]) -> Result<Self, TarError> {
        check_sum(block)?;
        let size = numbers::field(&block[124..136], "size")?;
        let size = u64::try_from(size).map_err(|_| TarError::Limit(format!("a size of {size}")))?;
        let mut name = Vec::new();
        // Only POSIX's ustar has a prefix there; GNU's old format keeps other things in it.
        if &block[257..263] == b"ustar\0" && block[345] != 0 {
            name.extend_from_slice(text(&block[345..500]));
            name.push(b'/');
        }
        name.extend_from_slice(text(&block[0..100]));
        Ok(Self {
            name,
            link_name: text(&block[157..257]).to_vec(),
            typeflag: block[156],
            size,
            mode: (numbers::field(&block[100..108], "mode")? & 0o7777) as u32,
            uid: owner(numbers::field(&block[108..116], "uid")?),
            gid: owner(numbers::field(&block[116..124], "gid")?),
            mtime: numbers::field(&block[136..148], "mtime")?,
        })
    }
}

/// Owners are unsigned 32-bit numbers; some tars write large ones as negative.
pub fn owner(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_else(|_| u64::from(number as u32))
}

/// Old tars summed signed bytes.
fn check_sum(block: &[u8; BLOCK]) -> Result<(), TarError> {
    let stored = numbers::field(&block[148..156], "checksum")?;
    let counted = |i: usize| if (148..156).contains(&i) { b' ' } else { block[i] };
    let unsigned: i64 = (0..BLOCK).map(|i| i64::from(counted(i))).sum();
    let signed: i64 = (0..BLOCK).map(|i| i64::from(counted(i) as i8)).sum();
    if stored == unsigned || stored == signed {
        Ok(())
    } else {
        Err(TarError::damaged("a header's checksum is wrong"))
    }
}
