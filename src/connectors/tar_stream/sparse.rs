//! Sparse files: which parts of a file the archive holds, and the zeros between them.

use super::{MAX_FILE, TarError, numbers};

/// Most parts of one sparse file (24 MiB of map at the most).
const MAX_PARTS: usize = 1 << 20;

/// The map of a sparse file: parts that hold data, in order and without overlap.
#[derive(Debug, Clone, Default)]
pub struct SparseMap {
    parts: Vec<(u64, u64)>,
    /// Bytes in all parts so far.
    stored: u64,
}

impl SparseMap {
    /// From a flat list of offsets and lengths.
    pub fn from_pairs(numbers: &[u64]) -> Result<Self, TarError> {
        if !numbers.len().is_multiple_of(2) {
            return Err(TarError::damaged("a sparse map has an offset without a length"));
        }
        let mut map = Self::default();
        numbers
            .chunks_exact(2)
            .try_for_each(|pair| map.push(pair[0], pair[1]))?;
        Ok(map)
    }

    /// Adds the next part.
    pub fn push(&mut self, offset: u64, length: u64) -> Result<(), TarError> {
        let bad = || TarError::damaged("a sparse map is out of order");
        let end = offset.checked_add(length).ok_or_else(bad)?;
        if end > MAX_FILE {
            return Err(TarError::Limit("a sparse file larger than 16 TiB".into()));
        }
        if self
            .parts
            .last()
            .is_some_and(|&(offset_before, length_before)| offset < offset_before + length_before)
        {
            return Err(bad());
        }
        if length > 0 {
            if self.parts.len() == MAX_PARTS {
                return Err(TarError::Limit(format!("a sparse file of more than {MAX_PARTS} parts")));
            }
            self.parts.push((offset, length));
            self.stored += length;
        }
        Ok(())
    }

    /// The map as what to emit for a file of `size` bytes of which the archive stores `stored`.
    pub fn plan(self, size: u64, stored: u64) -> Result<Plan, TarError> {
        let end = self.parts.last().map_or(0, |&(offset, length)| offset + length);
        if end > size || self.stored != stored {
            return Err(TarError::damaged("a sparse map does not fit its file"));
        }
        Ok(Plan {
            parts: self.parts,
            next: 0,
            position: 0,
            size,
        })
    }
}

/// Walks through a file: what comes next, data from the archive or zeros.
#[derive(Debug)]
pub struct Plan {
    parts: Vec<(u64, u64)>,
    next: usize,
    position: u64,
    size: u64,
}

/// The next stretch of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Stretch {
    /// At most this many bytes from the archive.
    Data(u64),
    /// At most this many zeros.
    Zeros(u64),
    /// The file is complete.
    Done,
}

impl Plan {
    /// A file without holes.
    pub fn dense(size: u64) -> Self {
        let parts = if size > 0 { vec![(0, size)] } else { Vec::new() };
        Self {
            parts,
            next: 0,
            position: 0,
            size,
        }
    }

    /// Bytes of the file that the archive holds.
    pub fn stored(&self) -> u64 {
        self.parts.iter().map(|&(_, length)| length).sum()
    }

    /// What comes next.
    pub fn stretch(&self) -> Stretch {
        match self.parts.get(self.next) {
            Some(&(offset, _)) if self.position < offset => Stretch::Zeros(offset - self.position),
            Some(&(offset, length)) => Stretch::Data(offset + length - self.position),
            None if self.position < self.size => Stretch::Zeros(self.size - self.position),
            None => Stretch::Done,
        }
    }

    /// Moves on by `bytes` of what [`Plan::stretch`] said.
    pub fn advance(&mut self, bytes: u64) {
        self.position += bytes;
        if let Some(&(offset, length)) = self.parts.get(self.next)
            && self.position >= offset + length
        {
            self.next += 1;
        }
    }
}

/// The map of GNU's version 1.0: decimal lines at the start of the data, padded to a block.
#[derive(Debug, Default)]
pub struct MapReader {
    line: Vec<u8>,
    announced: Option<u64>,
    offset: Option<u64>,
    parts_read: u64,
    map: SparseMap,
}

impl MapReader {
    /// Takes one block; the whole map once its last line is in.
    pub fn block(&mut self, block: &[u8]) -> Result<Option<SparseMap>, TarError> {
        for &byte in block {
            if byte != b'\n' {
                self.line.push(byte);
                if self.line.len() > 20 {
                    return Err(TarError::damaged("a sparse map holds no number"));
                }
                continue;
            }
            let number =
                numbers::decimal(&self.line).ok_or_else(|| TarError::damaged("a sparse map holds no number"))?;
            self.line.clear();
            match (self.announced, self.offset.take()) {
                (None, _) if number > MAX_PARTS as u64 => {
                    return Err(TarError::Limit(format!("a sparse file of {number} parts")));
                }
                (None, _) => self.announced = Some(number),
                (Some(_), None) => self.offset = Some(number),
                (Some(_), Some(offset)) => {
                    self.map.push(offset, number)?;
                    self.parts_read += 1;
                }
            }
            if self.announced == Some(self.parts_read) {
                return Ok(Some(std::mem::take(&mut self.map)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Stretch::{Data, Zeros},
        *,
    };

    #[test]
    fn a_plan_alternates() {
        let mut plan = SparseMap::from_pairs(&[10, 5, 20, 1]).unwrap().plan(30, 6).unwrap();
        let mut seen = Vec::new();
        while let stretch @ (Data(bytes) | Zeros(bytes)) = plan.stretch() {
            seen.push(stretch);
            plan.advance(bytes);
        }
        assert_eq!(seen, [Zeros(10), Data(5), Zeros(5), Data(1), Zeros(9)]);
    }

    #[test]
    fn maps_that_do_not_fit_are_refused() {
        assert!(SparseMap::from_pairs(&[10, 5, 12, 1]).is_err());
        assert!(SparseMap::from_pairs(&[u64::MAX, 5]).is_err());
        assert!(SparseMap::from_pairs(&[1]).is_err());
        assert!(SparseMap::from_pairs(&[0, 5]).unwrap().plan(4, 5).is_err());
        assert!(SparseMap::from_pairs(&[0, 5]).unwrap().plan(9, 4).is_err());
    }
}
