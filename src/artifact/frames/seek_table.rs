//! The seek table of the zstd seekable format, as strict as `docs/format.md` allows: every frame
//! but the last holds [`FRAME`] bytes.

use super::FRAME;

const SKIPPABLE_MAGIC: u32 = 0x184D_2A5E;
const SEEKABLE_MAGIC: u32 = 0x8F92_EAB1;
const HEADER: usize = 8;
/// Bytes of the part from which a reader learns how long the table is.
pub(crate) const FOOTER: usize = 9;
const PER_FRAME: usize = 8;
/// Most frames the format allows.
const MAX_FRAMES: usize = 1 << 27;

/// The table while it grows.
#[derive(Default)]
pub(crate) struct Builder(Vec<(u32, u32)>);

impl Builder {
    /// Notes the next frame. False if the format holds no more.
    #[must_use]
    pub(crate) fn push(&mut self, compressed: u32, content: u32) -> bool {
        self.0.push((compressed, content));
        self.0.len() < MAX_FRAMES
    }

    /// The skippable frame.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let body = self.0.len() * PER_FRAME + FOOTER;
        let mut out = Vec::with_capacity(HEADER + body);
        out.extend_from_slice(&SKIPPABLE_MAGIC.to_le_bytes());
        // MAX_FRAMES keeps both numbers within u32.
        out.extend_from_slice(&(body as u32).to_le_bytes());
        for (compressed, content) in &self.0 {
            out.extend_from_slice(&compressed.to_le_bytes());
            out.extend_from_slice(&content.to_le_bytes());
        }
        out.extend_from_slice(&(self.0.len() as u32).to_le_bytes());
        out.push(0);
        out.extend_from_slice(&SEEKABLE_MAGIC.to_le_bytes());
        out
    }
}

/// How long the table is, from its last [`FOOTER`] bytes.
pub(crate) fn length(footer: &[u8; FOOTER]) -> Result<u64, &'static str> {
    if footer[5..] != SEEKABLE_MAGIC.to_le_bytes() || footer[4] != 0 {
        return Err("it has no seek table");
    }
    let frames = word(footer, 0) as usize;
    if frames > MAX_FRAMES {
        return Err("its seek table is absurdly long");
    }
    Ok((HEADER + frames * PER_FRAME + FOOTER) as u64)
}

/// A table to look frames up in.
pub(crate) struct SeekTable {
    /// Where each frame begins in the compressed stream, and where the last one ends.
    starts: Vec<u64>,
    /// Bytes of content.
    content: u64,
}

impl SeekTable {
    /// Reads a whole table and checks that the frames before it fill `compressed` bytes.
    pub(crate) fn parse(bytes: &[u8], compressed: u64) -> Result<Self, &'static str> {
        let fault = "its seek table is damaged";
        let frames = bytes.len().checked_sub(HEADER + FOOTER).ok_or(fault)? / PER_FRAME;
        if word(bytes, 0) != SKIPPABLE_MAGIC || word(bytes, 4) as usize != bytes.len() - HEADER {
            return Err(fault);
        }
        let most = zstd::zstd_safe::compress_bound(FRAME) as u32;
        let mut starts = Vec::with_capacity(frames + 1);
        let (mut start, mut content) = (0u64, 0u64);
        for frame in 0..frames {
            let at = HEADER + frame * PER_FRAME;
            let (length, bytes_of_content) = (word(bytes, at), word(bytes, at + 4));
            let full = bytes_of_content as usize == FRAME;
            let last = frame + 1 == frames && (1..=FRAME).contains(&(bytes_of_content as usize));
            if !(full || last) || length > most {
                return Err(fault);
            }
            starts.push(start);
            start += u64::from(length);
            content += u64::from(bytes_of_content);
        }
        starts.push(start);
        if start != compressed {
            return Err(fault);
        }
        Ok(Self { starts, content })
    }

    /// Bytes of content.
    pub(crate) fn content(&self) -> u64 {
        self.content
    }

    /// Bytes of all frames as compressed.
    pub(crate) fn compressed(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Where frame `index` lies in the compressed stream, and its bytes of content.
    pub(crate) fn frame(&self, index: u64) -> Option<(std::ops::Range<u64>, usize)> {
        let at = usize::try_from(index).ok()?;
        let range = *self.starts.get(at)?..*self.starts.get(at + 1)?;
        let content = (self.content - index * FRAME as u64).min(FRAME as u64);
        Some((range, content as usize))
    }
}

/// A little-endian number; the caller has checked that it is there.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(frames: &[(u32, u32)]) -> Vec<u8> {
        Builder(frames.to_vec()).to_bytes()
    }

    #[test]
    fn a_table_finds_its_frames() {
        let bytes = table(&[(100, FRAME as u32), (50, 7)]);
        let footer = bytes[bytes.len() - FOOTER..].try_into().unwrap();
        assert_eq!(length(footer), Ok(bytes.len() as u64));
        let table = SeekTable::parse(&bytes, 150).unwrap();
        assert_eq!(table.content(), FRAME as u64 + 7);
        assert_eq!(table.frame(0), Some((0..100, FRAME)));
        assert_eq!(table.frame(1), Some((100..150, 7)));
        assert_eq!(table.frame(2), None);
        assert_eq!(table.frame(u64::MAX), None);
    }

    #[test]
    fn tables_that_contradict_the_format_are_refused() {
        let full = FRAME as u32;
        for (frames, compressed) in [
            (&[(100, full), (50, 7)][..], 151),
            (&[(100, 7), (50, 7)], 150),
            (&[(100, full), (50, 0)], 150),
            (&[(100, full + 1)], 100),
            (&[(u32::MAX, full)], u64::from(u32::MAX)),
        ] {
            assert!(SeekTable::parse(&table(frames), compressed).is_err(), "{frames:?}");
        }
        let bytes = table(&[(100, full)]);
        assert!(SeekTable::parse(&bytes[1..], 100).is_err());
        assert!(SeekTable::parse(&[], 0).is_err());
        assert!(length(&[0xff; FOOTER]).is_err());
    }
}
