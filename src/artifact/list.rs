//! The whole index, one entry after the other.

use super::{
    Files, Keys,
    fault::Fault,
    index::{Item, read::IndexReader},
};
use crate::domain::{
    entry::{Entry, Problem},
    job::JobError,
    snapshot::ArtifactFile,
};

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// Something stored; its pax records stand in the tar only.
    Entry(Entry),
    /// Something to know about what is, or is not, stored.
    Problem(Problem),
}

/// Passes everything in the index to `each`, in stored order, until that fails.
pub fn list(
    files: &dyn Files,
    keys: &Keys,
    each: &mut dyn FnMut(Listed) -> Result<(), JobError>,
) -> Result<(), JobError> {
    listed(files, keys, each).map_err(|fault| fault.into_job_error(&files.place()))
}

fn listed(files: &dyn Files, keys: &Keys, each: &mut dyn FnMut(Listed) -> Result<(), JobError>) -> Result<(), Fault> {
    let mut index = IndexReader::open(files.open(ArtifactFile::Index)?, &keys.index)?;
    while let Some(item) = index.next()? {
        match item {
            // The file they make together comes after them.
            Item::Entry(record) if record.part.is_some() => {}
            Item::Entry(record) => each(Listed::Entry(record.entry))?,
            Item::Stream(stream) => each(Listed::Entry(stream.entry))?,
            Item::Problem(problem) => each(Listed::Problem(problem))?,
            Item::Trailer(..) => {}
        }
    }
    Ok(())
}
