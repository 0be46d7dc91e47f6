//! Entries as they are, for whoever writes them somewhere else.

use super::{
    chosen::{self, Sink},
    selection::Selection,
};
use crate::{
    artifact::{
        Files, Gauge, Keys,
        clear::Clear,
        fault::{Fault, Place},
        frames::hashed::Hashed,
        index::{Content, Item, Record, read::IndexReader},
        walk::Visitor,
        whole,
    },
    domain::{
        entry::{Entry, EntryKind, EntryPath},
        job::JobError,
        snapshot::ArtifactFile,
    },
};

/// What is handed over, in stored order.
#[derive(Debug)]
pub enum Handed<'a> {
    /// The next thing. After a file come its content and an end.
    Entry {
        /// What it is; without pax records.
        entry: Entry,
        /// False if its content could not be read whole when it was stored.
        whole: bool,
    },
    /// Content of the file that came last.
    Data(&'a [u8]),
    /// The file that came last is over, and its content is what was stored.
    End,
}

/// Whoever takes what is handed over.
pub type Take<'t> = &'t mut dyn FnMut(Handed<'_>) -> Result<(), JobError>;

/// Hands over everything, or the chosen (escaped) paths and all below them, with content. Without `links`, hard links
/// come as files. What was handed over of a file is only good once its end came.
pub fn hand_over(
    files: &dyn Files,
    keys: &Keys,
    selection: &[String],
    links: bool,
    gauge: &Gauge,
    take: Take<'_>,
) -> Result<(), JobError> {
    let mut handed = || -> Result<(), Fault> {
        let mut sink = HandOver {
            take,
            links,
            renamed: None,
            in_file: false,
        };
        let selection = Selection::parse(selection)?;
        chosen::copy(files, keys, &Clear::read(files)?, selection, gauge, &mut sink).map(drop)
    };
    handed().map_err(|fault| fault.into_job_error(&files.place()))
}

/// Hands over the same entries, without content, out of the index alone.
pub fn hand_over_list(
    files: &dyn Files,
    keys: &Keys,
    selection: &[String],
    gauge: &Gauge,
    take: Take<'_>,
) -> Result<(), JobError> {
    let mut handed = || -> Result<(), Fault> {
        let mut selection = Selection::parse(selection)?;
        let clear = Clear::read(files)?;
        let (file, hash) = Hashed::new(files.open(ArtifactFile::Index)?);
        let mut index = IndexReader::open(Box::new(file), &keys.index)?;
        while let Some(item) = index.next()? {
            gauge.check()?;
            let (entry, whole) = match item {
                Item::Entry(record) if record.part.is_none() => (record.entry.clone(), is_whole(&record)),
                Item::Stream(stream) => (stream.entry, true),
                Item::Entry(_) | Item::Problem(_) | Item::Trailer(..) => continue,
            };
            if selection.meets(&entry.path) {
                gauge.add_file();
                take(Handed::Entry { entry, whole })?;
            }
        }
        whole::check(files, &clear, Place(ArtifactFile::Index), &hash, &Gauge::new())?;
        Ok(selection.all_met()?)
    };
    handed().map_err(|fault| fault.into_job_error(&files.place()))
}

/// What changed while it was read is still what was read; zeros in place of what could not be read are not.
fn is_whole(record: &Record) -> bool {
    !matches!(record.content, Some(Content::Padded | Content::Unreadable))
}

struct HandOver<'t> {
    take: Take<'t>,
    links: bool,
    /// What the next entry is to be called.
    renamed: Option<EntryPath>,
    in_file: bool,
}

impl Visitor for HandOver<'_> {
    fn begin(&mut self, record: &Record, mut entry: Entry, _: &[u8]) -> Result<(), Fault> {
        if let Some(path) = self.renamed.take() {
            entry.path = path;
        }
        entry.pax.clear();
        self.in_file = matches!(entry.kind, EntryKind::File { .. });
        let whole = is_whole(record);
        Ok((self.take)(Handed::Entry { entry, whole })?)
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        Ok((self.take)(Handed::Data(bytes))?)
    }

    fn end(&mut self, _: &[u8]) -> Result<(), Fault> {
        match std::mem::take(&mut self.in_file) {
            true => Ok((self.take)(Handed::End)?),
            false => Ok(()),
        }
    }
}

impl Sink for HandOver<'_> {
    fn limit(&self) -> Option<u64> {
        None
    }

    fn links(&self) -> bool {
        self.links
    }

    fn rename(&mut self, record: &Record) {
        self.renamed = Some(record.entry.path.clone());
    }

    fn link(&mut self, record: &Record, target: &EntryPath) -> Result<(), Fault> {
        let mut entry = record.entry.clone();
        entry.kind = EntryKind::HardLink { target: target.clone() };
        Ok((self.take)(Handed::Entry { entry, whole: true })?)
    }
}
