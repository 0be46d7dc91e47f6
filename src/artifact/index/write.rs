//! Writes the index while the capture runs; memory does not grow with the number of entries.

use std::io;

use super::{Record, Stream, line::Line};
use crate::{
    artifact::{
        Counts,
        frames::{
            seal::{Seal, SealedFile},
            single::SingleWriter,
        },
        manifest::Sizes,
    },
    domain::entry::Problem,
};

pub(crate) struct IndexWriter {
    out: SingleWriter,
    line: Vec<u8>,
}

impl IndexWriter {
    pub(crate) fn start(seal: Seal, snapshot_id: &str) -> io::Result<Self> {
        let mut writer = Self {
            out: SingleWriter::new(seal)?,
            line: Vec::new(),
        };
        writer.write(&Line::header(snapshot_id))?;
        Ok(writer)
    }

    pub(crate) fn entry(&mut self, record: &Record) -> io::Result<()> {
        self.write(&Line::entry(record))
    }

    pub(crate) fn stream(&mut self, stream: &Stream) -> io::Result<()> {
        self.write(&Line::stream(stream))
    }

    pub(crate) fn problem(&mut self, problem: &Problem) -> io::Result<()> {
        self.write(&Line::problem(problem))
    }

    pub(crate) fn finish(mut self, counts: Counts, sizes: Sizes) -> io::Result<SealedFile> {
        self.write(&Line::trailer(counts, sizes))?;
        self.out.finish()
    }

    fn write(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line)?;
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }
}
