//! Goes through the tar along its index and checks one against the other.

use super::{
    Counts, Gauge,
    fault::{Fault, Place},
    frames::read::FrameReader,
    index::{Item, Record, read::IndexReader},
    manifest::Sizes,
    names::Names,
    tar::{BLOCK, END, MAX_HEAD, decode, padding},
};
use crate::domain::{
    entry::{Entry, EntryKind},
    escaped::escape,
    snapshot::ArtifactFile,
};

const PLACE: Place = Place(ArtifactFile::Backup);

/// What becomes of the entries.
pub(crate) trait Visitor {
    /// An entry begins: as the index has it, as the tar has it (with pax records), and its blocks.
    fn begin(&mut self, record: &Record, entry: Entry, blocks: &[u8]) -> Result<(), Fault>;
    /// Content of the entry.
    fn data(&mut self, bytes: &[u8]) -> Result<(), Fault>;
    /// The entry is over, and its content is what it should be. `padding` zeros follow in the tar.
    fn end(&mut self, padding: &[u8]) -> Result<(), Fault>;
}

/// Only checks.
pub(crate) struct Nothing;

impl Visitor for Nothing {
    fn begin(&mut self, _: &Record, _: Entry, _: &[u8]) -> Result<(), Fault> {
        Ok(())
    }
    fn data(&mut self, _: &[u8]) -> Result<(), Fault> {
        Ok(())
    }
    fn end(&mut self, _: &[u8]) -> Result<(), Fault> {
        Ok(())
    }
}

/// The tar, entry by entry.
pub(crate) struct Walk<'a> {
    frames: FrameReader<'a>,
    head: Vec<u8>,
    gauge: &'a Gauge,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(frames: FrameReader<'a>, gauge: &'a Gauge) -> Self {
        Self {
            frames,
            head: Vec::new(),
            gauge,
        }
    }

    /// Gives the frames back.
    pub(crate) fn into_frames(self) -> FrameReader<'a> {
        self.frames
    }

    /// Every entry in order; ends with the end of the tar. Everything is checked: that entries
    /// follow each other without gaps, and that the trailer counts right.
    pub(crate) fn whole(
        &mut self,
        index: &mut IndexReader,
        visitor: &mut dyn Visitor,
    ) -> Result<(Counts, Sizes), Fault> {
        const INDEX: Place = Place(ArtifactFile::Index);
        let (mut counts, mut sizes) = (Counts::default(), Sizes::default());
        let mut names = Names::new();
        while let Some(item) = index.next()? {
            match item {
                Item::Entry(record) => {
                    if record.offset != sizes.tar {
                        return Err(fault(&record, "does not begin where the one before it ends"));
                    }
                    if matches!(&record.entry.kind, EntryKind::HardLink { target } if !names.contains(target)) {
                        return Err(fault(&record, "is a hard link to a file that did not come before it"));
                    }
                    self.entry(&record, visitor)?;
                    sizes.tar += record.length;
                    *match record.entry.kind {
                        EntryKind::File { size } => {
                            sizes.content += size;
                            &mut counts.files
                        }
                        EntryKind::Directory => &mut counts.directories,
                        EntryKind::Symlink { .. } => &mut counts.symlinks,
                        EntryKind::HardLink { .. } => &mut counts.hardlinks,
                    } += 1;
                    if matches!(record.entry.kind, EntryKind::File { .. } | EntryKind::Symlink { .. }) {
                        names.insert(&record.entry.path);
                    }
                }
                Item::Stream(stream) => {
                    counts.files = (counts.files + 1).saturating_sub(stream.parts.into());
                    counts.streams += 1;
                }
                Item::Problem(_) => counts.problems += 1,
                Item::Trailer(said_counts, said_sizes) => {
                    sizes.tar += self.end()?;
                    if (said_counts, said_sizes) != (counts, sizes) {
                        return Err(INDEX.damaged("its trailer does not count what stands before it"));
                    }
                }
            }
        }
        Ok((counts, sizes))
    }

    /// One entry: its headers and content are checked against the index.
    pub(crate) fn entry(&mut self, record: &Record, visitor: &mut dyn Visitor) -> Result<(), Fault> {
        self.gauge.check()?;
        let size = match record.entry.kind {
            EntryKind::File { size } => size,
            _ => 0,
        };
        let body = size.checked_add(padding(size));
        let head = body.and_then(|body| record.length.checked_sub(body)).unwrap_or(0);
        let within = record
            .offset
            .checked_add(record.length)
            .is_some_and(|end| end <= self.frames.length());
        if !(BLOCK..=MAX_HEAD).contains(&head) || head % BLOCK != 0 || !within {
            return Err(fault(record, "has a length that makes no sense"));
        }
        self.frames.seek(record.offset);
        // Bounded by MAX_HEAD.
        self.head.resize(head as usize, 0);
        self.frames.read_exact(&mut self.head)?;
        let entry = decode::head(&self.head).map_err(|what| fault(record, what))?;
        if !same(&entry, &record.entry) {
            return Err(fault(record, "is described differently in the tar and in the index"));
        }
        visitor.begin(record, entry, &self.head)?;
        self.content(record, size, visitor)?;

        let mut zeros = [0; BLOCK as usize];
        let zeros = &mut zeros[..padding(size) as usize];
        self.frames.read_exact(zeros)?;
        if zeros.iter().any(|&b| b != 0) {
            return Err(fault(record, "is not padded with zeros"));
        }
        self.gauge.add_file();
        visitor.end(zeros)
    }

    fn content(&mut self, record: &Record, size: u64, visitor: &mut dyn Visitor) -> Result<(), Fault> {
        let mut hash = blake3::Hasher::new();
        let mut left = size;
        while left > 0 {
            self.gauge.check()?;
            let bytes = self.frames.next(left)?;
            if bytes.is_empty() {
                return Err(PLACE.damaged("its content ends too early"));
            }
            hash.update(bytes);
            left -= bytes.len() as u64;
            self.gauge.add_bytes(bytes.len() as u64);
            visitor.data(bytes)?;
        }
        match &record.blake3 {
            Some(wanted) if hash.finalize() != *wanted => {
                Err(fault(record, "does not have the content it had when it was stored"))
            }
            _ => Ok(()),
        }
    }

    /// The blocks that end the tar; gives their length.
    fn end(&mut self) -> Result<u64, Fault> {
        let mut blocks = END;
        self.frames.read_exact(&mut blocks)?;
        if blocks != END || self.frames.position() != self.frames.length() {
            return Err(PLACE.damaged("the tar goes on where its index ends"));
        }
        Ok(END.len() as u64)
    }
}

fn fault(record: &Record, what: &str) -> Fault {
    let path = escape(record.entry.path.as_bytes());
    PLACE.damaged(format!("/{path}: {what}"))
}

/// The same but for pax records, which the index does not have.
fn same(tar: &Entry, index: &Entry) -> bool {
    tar.path == index.path
        && tar.kind == index.kind
        && (tar.mode, tar.uid, tar.gid, tar.mtime) == (index.mode, index.uid, index.gid, index.mtime)
}
