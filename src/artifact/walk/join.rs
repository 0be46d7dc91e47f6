//! The parts of a stream, passed on as the one file they make together.

use super::{INDEX, Visitor, Walk, belong_together, fault, size_of, zeros};
use crate::{
    artifact::{
        fault::Fault,
        index::{Item, Record, Stream, read::IndexReader},
        parts::{MAX_STREAMS, stream_of},
        tar::encode,
    },
    domain::entry::{Entry, EntryKind},
};

/// A stream whose parts are coming.
pub(super) struct Joining {
    /// What they make together, of the size that was announced.
    record: Record,
    parts: u32,
    size: u64,
    hash: blake3::Hasher,
}

impl Joining {
    pub(super) fn entry(&self) -> &Entry {
        &self.record.entry
    }
}

impl Walk<'_> {
    /// A part: the first begins the file, all are its content.
    pub(super) fn part(&mut self, record: &Record, part: u32, visitor: &mut dyn Visitor) -> Result<(), Fault> {
        let size = size_of(&record.entry);
        let head = self.head(record, size)?;
        let mut joining = match self.joining.take() {
            Some(joining) => joining,
            None => self.first(record, head, visitor)?,
        };
        let of = stream_of(&record.entry.path, part);
        let next = joining.parts.checked_add(1) == Some(part) && of.as_ref() == Some(&joining.entry().path);
        if !next || !belong_together(&record.entry, joining.entry()) {
            return Err(fault(&record.entry, "is not the part that should come here"));
        }
        joining.parts = part;
        joining.size = joining.size.saturating_add(size);
        if joining.size > size_of(joining.entry()) {
            return Err(fault(joining.entry(), "has more in its parts than its size"));
        }
        self.content(record, size, Some(&mut joining.hash), visitor)?;
        self.padding(record, size)?;
        self.joining = Some(joining);
        Ok(())
    }

    fn first(&mut self, record: &Record, head: Entry, visitor: &mut dyn Visitor) -> Result<Joining, Fault> {
        let path = stream_of(&record.entry.path, 1);
        let path = path.ok_or_else(|| fault(&record.entry, "is a part without the ones before it"))?;
        let size = self.streams.next();
        let size = size.ok_or_else(|| fault(&record.entry, "is a part of nothing that is counted"))?;
        let entry = Entry {
            path,
            kind: EntryKind::File { size },
            ..head
        };
        let mut blocks = Vec::new();
        encode::head(&entry, &mut blocks);
        let record = Record {
            entry: entry.clone(),
            part: None,
            ..record.clone()
        };
        visitor.begin(&record, entry, &blocks)?;
        Ok(Joining {
            record,
            parts: 0,
            size: 0,
            hash: blake3::Hasher::new(),
        })
    }

    /// What the parts that were passed make together: checked, and the end of the file.
    pub(crate) fn joined(&mut self, stream: &Stream, visitor: &mut dyn Visitor) -> Result<(), Fault> {
        let joining = self.joining.take();
        let joining = joining.ok_or_else(|| fault(&stream.entry, "has no parts"))?;
        let (made, wanted) = (joining.entry(), &stream.entry);
        if made.path != wanted.path || !belong_together(made, wanted) || joining.parts != stream.parts {
            return Err(fault(wanted, "is not what the parts before it make"));
        }
        if joining.size != size_of(wanted) || joining.size != size_of(made) {
            return Err(fault(wanted, "has a size that its parts do not sum up to"));
        }
        if joining.hash.finalize() != stream.blake3 {
            return Err(fault(wanted, "does not have the content it had when it was stored"));
        }
        self.gauge.add_file();
        visitor.end(zeros(joining.size))
    }
}

/// The sizes of all streams of an index, in order.
pub(crate) fn stream_sizes(index: &mut IndexReader) -> Result<Vec<u64>, Fault> {
    let mut sizes = Vec::new();
    while let Some(item) = index.next()? {
        if let Item::Stream(stream) = item {
            note_size(&mut sizes, &stream)?;
        }
    }
    Ok(sizes)
}

/// Remembers the size of a stream that will be passed.
pub(crate) fn note_size(sizes: &mut Vec<u64>, stream: &Stream) -> Result<(), Fault> {
    if sizes.len() as u64 == MAX_STREAMS {
        return Err(INDEX.damaged("it lists more files in parts than there can be"));
    }
    sizes.push(size_of(&stream.entry));
    Ok(())
}
