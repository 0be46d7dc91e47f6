//! A snapshot whose keys are here: its files one by one, for whoever loads them.

use std::{io, sync::Arc};

use super::blocking;
use crate::{
    artifact::{self, Gauge, Keys, Stored},
    connectors::program::{Feed, Feeder, feed},
    domain::{
        job::{ExportFormat, JobError},
        snapshot::SnapshotKey,
    },
    storage::Storage,
    worker::attempt::Attempt,
};

/// Largest file that is read whole, in bytes: the record beside the dump of a database with a hundred thousand tables.
const MAX_SMALL: usize = 64 * 1024 * 1024;

/// A snapshot, and what opens it.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) key: SnapshotKey,
    pub(super) keys: Arc<Keys>,
}

impl Opened {
    /// Its files as they are stored.
    pub(super) fn files(&self) -> Stored<'_> {
        Stored {
            storage: self.storage.as_ref(),
            key: &self.key,
        }
    }

    /// A file as a stream, and the reading of it, which must be awaited beside whatever takes the stream. That nobody takes
    /// it any more is no error of the reading: whoever does has the reason.
    pub(super) fn stream(&self, path: &str, attempt: &Attempt) -> (Feed, impl Future<Output = Result<(), JobError>>) {
        let (feeder, feed) = feed();
        let (here, path) = (self.clone(), path.to_owned());
        let reading = blocking(attempt, move |gauge| {
            let mut out = Out { feeder, gone: false };
            let read = here.export(&path, &mut out, gauge);
            if out.gone {
                return Ok(());
            }
            read?;
            // It may end before it has heard of the end.
            let _ = out.feeder.finish();
            Ok(())
        });
        (feed, reading)
    }

    /// A file as it is; `None` if it is longer than any file that has to be read whole.
    ///
    /// # Errors
    /// `path_not_found`, and those of reading.
    pub(super) fn small(&self, path: &str, gauge: &Gauge) -> Result<Option<Vec<u8>>, JobError> {
        let mut out = Bounded {
            content: Vec::new(),
            exceeded: false,
        };
        match self.export(path, &mut out, gauge) {
            _ if out.exceeded => Ok(None),
            read => read.map(|()| Some(out.content)),
        }
    }

    fn export(&self, path: &str, out: &mut dyn io::Write, gauge: &Gauge) -> Result<(), JobError> {
        let paths = [path.to_owned()];
        artifact::export(&self.files(), &self.keys, &paths, ExportFormat::File, out, gauge).map(drop)
    }
}

/// Remembers that the other end is gone.
struct Out {
    feeder: Feeder,
    gone: bool,
}

impl io::Write for Out {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.feeder.write(data);
        self.gone |= written.is_err();
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes no more than [`MAX_SMALL`] bytes, and remembers that there were more.
struct Bounded {
    content: Vec<u8>,
    exceeded: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.exceeded |= self.content.len() + data.len() > MAX_SMALL;
        if self.exceeded {
            return Err(io::Error::other("the file is too long"));
        }
        self.content.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
