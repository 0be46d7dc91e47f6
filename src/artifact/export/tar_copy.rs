//! Entries as tar, as they were stored; compressed again where that is wanted.

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};

use super::{
    chosen::Sink,
    output::{Output, failed},
};
use crate::{
    artifact::{
        fault::Fault,
        index::Record,
        tar::{END, encode},
        walk::Visitor,
    },
    domain::{
        entry::{Entry, EntryKind, EntryPath},
        job::ExportFormat,
    },
};

/// gzip's level: higher ones take several times as long for a few percent.
const GZIP_LEVEL: u32 = 4;

/// Writes entries to a tar.
pub(super) struct TarCopy<'a, 'o> {
    out: Encoder<'a, 'o>,
    /// What the next entry is to be called.
    renamed: Option<Entry>,
}

enum Encoder<'a, 'o> {
    Plain(&'a mut Output<'o>),
    Gzip(GzEncoder<&'a mut Output<'o>>),
    Zstd(zstd::stream::write::Encoder<'static, &'a mut Output<'o>>),
}

impl<'a, 'o> TarCopy<'a, 'o> {
    pub(super) fn new(out: &'a mut Output<'o>, format: ExportFormat) -> Result<Self, Fault> {
        let out = match format {
            ExportFormat::TarGz => Encoder::Gzip(GzEncoder::new(out, Compression::new(GZIP_LEVEL))),
            ExportFormat::TarZst => Encoder::Zstd(zstd::stream::write::Encoder::new(out, 3).map_err(failed)?),
            ExportFormat::Tar | ExportFormat::Zip | ExportFormat::File => Encoder::Plain(out),
        };
        Ok(Self { out, renamed: None })
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        match &mut self.out {
            Encoder::Plain(out) => out.write_all(bytes),
            Encoder::Gzip(out) => out.write_all(bytes),
            Encoder::Zstd(out) => out.write_all(bytes),
        }
        .map_err(failed)
    }

    /// Ends the tar and what it is compressed with.
    pub(super) fn finish(mut self) -> Result<(), Fault> {
        self.bytes(&END)?;
        let ended: io::Result<()> = match self.out {
            Encoder::Plain(_) => Ok(()),
            Encoder::Gzip(out) => out.finish().map(drop),
            Encoder::Zstd(out) => out.finish().map(drop),
        };
        ended.map_err(failed)
    }
}

impl Visitor for TarCopy<'_, '_> {
    fn begin(&mut self, _: &Record, entry: Entry, blocks: &[u8]) -> Result<(), Fault> {
        match self.renamed.take() {
            None => self.bytes(blocks),
            Some(link) => {
                // A link shares everything but its name with the file.
                let mut blocks = Vec::new();
                let renamed = Entry {
                    path: link.path,
                    ..entry
                };
                encode::head(&renamed, &mut blocks);
                self.bytes(&blocks)
            }
        }
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.bytes(bytes)
    }

    fn end(&mut self, padding: &[u8]) -> Result<(), Fault> {
        self.bytes(padding)
    }
}

impl Sink for TarCopy<'_, '_> {
    fn limit(&self) -> Option<u64> {
        None
    }

    fn links(&self) -> bool {
        true
    }

    fn rename(&mut self, record: &Record) {
        self.renamed = Some(record.entry.clone());
    }

    fn link(&mut self, record: &Record, target: &EntryPath) -> Result<(), Fault> {
        let mut entry = record.entry.clone();
        entry.kind = EntryKind::HardLink { target: target.clone() };
        let mut blocks = Vec::new();
        encode::head(&entry, &mut blocks);
        self.bytes(&blocks)
    }
}
