//! Where an export goes: counts, and knows whose fault an error is.

use std::io::{self, Write};

use crate::{artifact::fault::Fault, domain::job::JobError, storage::StorageError};

pub(super) struct Output<'a> {
    out: &'a mut dyn Write,
    bytes: u64,
}

impl<'a> Output<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, bytes: 0 }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.write_all(bytes).map_err(failed)
    }

    /// Flushes; gives the bytes written.
    pub(super) fn finish(self) -> Result<u64, Fault> {
        self.out.flush().map_err(failed)?;
        Ok(self.bytes)
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A failed write is no fault of the snapshot.
pub(super) fn failed(error: io::Error) -> Fault {
    Fault::Other(JobError::from(StorageError::io("the export", error)))
}
