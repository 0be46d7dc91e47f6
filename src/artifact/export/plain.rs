//! One file as it is.

use super::{chosen::Sink, output::Output};
use crate::{
    artifact::{fault::Fault, index::Record, walk::Visitor},
    domain::{
        entry::{Entry, EntryKind, EntryPath},
        error_code::ErrorCode,
        escaped::escape,
        job::JobError,
    },
};

/// Writes the content of the one entry that it gets.
pub(super) struct PlainFile<'a, 'o> {
    out: &'a mut Output<'o>,
}

impl<'a, 'o> PlainFile<'a, 'o> {
    pub(super) fn new(out: &'a mut Output<'o>) -> Self {
        Self { out }
    }
}

impl Visitor for PlainFile<'_, '_> {
    fn begin(&mut self, _: &Record, entry: Entry, _: &[u8]) -> Result<(), Fault> {
        match entry.kind {
            EntryKind::File { .. } => Ok(()),
            _ => Err(Fault::Other(JobError::new(
                ErrorCode::ExportLimit,
                format!(
                    "/{} is no file, so there is nothing to give out as it is",
                    escape(entry.path.as_bytes())
                ),
                "choose a file, or tar as the format",
            ))),
        }
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.out.bytes(bytes)
    }

    fn end(&mut self, _: &[u8]) -> Result<(), Fault> {
        Ok(())
    }
}

impl Sink for PlainFile<'_, '_> {
    fn limit(&self) -> Option<u64> {
        Some(1)
    }

    fn links(&self) -> bool {
        false
    }

    fn rename(&mut self, _: &Record) {}

    fn link(&mut self, _: &Record, _: &EntryPath) -> Result<(), Fault> {
        // Never asked for: links() says no.
        Ok(())
    }
}
