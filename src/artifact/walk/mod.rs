//! Goes through the tar along its index and checks one against the other.

mod join;
#[cfg(test)]
mod tests;

pub(crate) use self::join::{note_size, stream_sizes};

use self::join::Joining;
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
const INDEX: Place = Place(ArtifactFile::Index);

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
    /// Sizes of the streams to come.
    streams: std::vec::IntoIter<u64>,
    /// The stream whose parts are coming.
    joining: Option<Joining>,
}

impl<'a> Walk<'a> {
    /// `streams` are the sizes of the streams that will be passed, in order: a visitor wants them first.
    pub(crate) fn new(frames: FrameReader<'a>, gauge: &'a Gauge, streams: Vec<u64>) -> Self {
        Self {
            frames,
            head: Vec::new(),
            gauge,
            streams: streams.into_iter(),
            joining: None,
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
        let (mut counts, mut sizes) = (Counts::default(), Sizes::default());
        let mut names = Names::new();
        while let Some(item) = index.next()? {
            match item {
                Item::Entry(record) => {
                    if record.offset != sizes.tar {
                        return Err(fault(&record.entry, "does not begin where the one before it ends"));
                    }
                    if matches!(&record.entry.kind, EntryKind::HardLink { target } if !names.contains(target)) {
                        let what = "is a hard link to a file that did not come before it";
                        return Err(fault(&record.entry, what));
                    }
                    self.entry(&record, visitor)?;
                    sizes.tar += record.length;
                    if let EntryKind::File { size } = record.entry.kind {
                        sizes.content += size;
                    }
                    if record.part.is_none() {
                        counts.count(&record.entry.kind);
                        if matches!(record.entry.kind, EntryKind::File { .. } | EntryKind::Symlink { .. }) {
                            names.insert(&record.entry.path);
                        }
                    }
                }
                Item::Stream(stream) => {
                    self.joined(&stream, visitor)?;
                    counts.count(&stream.entry.kind);
                    counts.streams += 1;
                }
                Item::Problem(_) => counts.problems += 1,
                Item::Trailer(said_counts, said_sizes) => {
                    self.nothing_open()?;
                    sizes.tar += self.end()?;
                    if (said_counts, said_sizes) != (counts, sizes) {
                        return Err(INDEX.damaged("its trailer does not count what stands before it"));
                    }
                }
            }
        }
        Ok((counts, sizes))
    }

    /// One entry: its headers and content are checked against the index. Of a part, the visitor sees the
    /// file it belongs to.
    pub(crate) fn entry(&mut self, record: &Record, visitor: &mut dyn Visitor) -> Result<(), Fault> {
        if let Some(part) = record.part {
            return self.part(record, part, visitor);
        }
        self.nothing_open()?;
        let size = size_of(&record.entry);
        let entry = self.head(record, size)?;
        visitor.begin(record, entry, &self.head)?;
        self.content(record, size, None, visitor)?;
        let zeros = self.padding(record, size)?;
        self.gauge.add_file();
        visitor.end(zeros)
    }

    /// Fails if parts were passed and not what they make together.
    pub(crate) fn nothing_open(&self) -> Result<(), Fault> {
        match &self.joining {
            Some(joining) => Err(fault(joining.entry(), "has parts and then something else")),
            None => Ok(()),
        }
    }

    /// The entry at the start of a record, as the tar has it; its blocks stand in `self.head`.
    fn head(&mut self, record: &Record, size: u64) -> Result<Entry, Fault> {
        self.gauge.check()?;
        let body = size.checked_add(padding(size));
        let head = body.and_then(|body| record.length.checked_sub(body)).unwrap_or(0);
        let within = record
            .offset
            .checked_add(record.length)
            .is_some_and(|end| end <= self.frames.length());
        if !(BLOCK..=MAX_HEAD).contains(&head) || !head.is_multiple_of(BLOCK) || !within {
            return Err(fault(&record.entry, "has a length that makes no sense"));
        }
        self.frames.seek(record.offset);
        // Bounded by MAX_HEAD.
        self.head.resize(head as usize, 0);
        self.frames.read_exact(&mut self.head)?;
        let entry = decode::head(&self.head).map_err(|what| fault(&record.entry, what))?;
        if !same(&entry, &record.entry) {
            return Err(fault(
                &record.entry,
                "is described differently in the tar and in the index",
            ));
        }
        Ok(entry)
    }

    /// Passes `size` bytes to the visitor and to `also`, and checks them against the record's hash.
    fn content(
        &mut self,
        record: &Record,
        size: u64,
        mut also: Option<&mut blake3::Hasher>,
        visitor: &mut dyn Visitor,
    ) -> Result<(), Fault> {
        let mut hash = blake3::Hasher::new();
        let mut left = size;
        while left > 0 {
            self.gauge.check()?;
            let bytes = self.frames.next(left)?;
            if bytes.is_empty() {
                return Err(PLACE.damaged("its content ends too early"));
            }
            hash.update(bytes);
            if let Some(also) = &mut also {
                also.update(bytes);
            }
            left -= bytes.len() as u64;
            self.gauge.add_bytes(bytes.len() as u64);
            visitor.data(bytes)?;
        }
        match &record.blake3 {
            Some(wanted) if hash.finalize() != *wanted => Err(fault(
                &record.entry,
                "does not have the content it had when it was stored",
            )),
            _ => Ok(()),
        }
    }

    /// The zeros after the content.
    fn padding(&mut self, record: &Record, size: u64) -> Result<&'static [u8], Fault> {
        let mut read = [0; BLOCK as usize];
        let read = &mut read[..padding(size) as usize];
        self.frames.read_exact(read)?;
        if read.iter().any(|&b| b != 0) {
            return Err(fault(&record.entry, "is not padded with zeros"));
        }
        Ok(zeros(size))
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

/// The zeros that follow `size` bytes of content.
fn zeros(size: u64) -> &'static [u8] {
    static ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];
    &ZEROS[..padding(size) as usize]
}

fn size_of(entry: &Entry) -> u64 {
    match entry.kind {
        EntryKind::File { size } => size,
        _ => 0,
    }
}

fn fault(entry: &Entry, what: &str) -> Fault {
    let path = escape(entry.path.as_bytes());
    PLACE.damaged(format!("/{path}: {what}"))
}

/// The same but for pax records, which the index does not have.
fn same(tar: &Entry, index: &Entry) -> bool {
    tar.path == index.path && tar.kind == index.kind && belong_together(tar, index)
}

/// The same mode, owner and time.
fn belong_together(one: &Entry, other: &Entry) -> bool {
    (one.mode, one.uid, one.gid, one.mtime) == (other.mode, other.uid, other.gid, other.mtime)
}
