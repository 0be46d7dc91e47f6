//! Reads the index line by line.

use super::{Item, MAX_LINE, line::Line};
use crate::{
    artifact::{
        fault::{Fault, Place},
        frames::read::FrameReader,
        manifest::VERSION,
    },
    crypto::age_keys::FileKey,
    domain::snapshot::ArtifactFile,
    storage::ReadSeek,
};

/// The lines of an index, in order. Ends with [`Item::Trailer`]; an index that ends without is a
/// fault.
pub(crate) struct IndexReader {
    frames: FrameReader<'static>,
    line: Vec<u8>,
    ended: bool,
}

const PLACE: Place = Place(ArtifactFile::Index);

impl IndexReader {
    /// Opens an index and checks its header.
    pub(crate) fn open(file: Box<dyn ReadSeek>, key: &FileKey) -> Result<Self, Fault> {
        let mut reader = Self {
            frames: FrameReader::open(file, key, PLACE)?,
            line: Vec::new(),
            ended: false,
        };
        reader.next_line()?;
        match parse(&reader.line)?.version() {
            Some(VERSION) => Ok(reader),
            Some(version) if version > VERSION => Err(Fault::TooNew {
                place: PLACE,
                version: version.into(),
            }),
            _ => Err(PLACE.damaged("its first line is not the header of an index")),
        }
    }

    /// The next item; `None` after the trailer.
    pub(crate) fn next(&mut self) -> Result<Option<Item>, Fault> {
        while !self.ended {
            self.next_line()?;
            let item = parse(&self.line)?.into_item().map_err(|what| PLACE.damaged(what))?;
            if matches!(item, Some(Item::Trailer(..))) {
                self.ended = true;
                if self.frames.position() != self.frames.length() {
                    return Err(PLACE.damaged("it goes on after its trailer"));
                }
            }
            if item.is_some() {
                return Ok(item);
            }
        }
        Ok(None)
    }

    /// Reads a line, without its line break, into `self.line`.
    fn next_line(&mut self) -> Result<(), Fault> {
        self.line.clear();
        loop {
            let start = self.frames.position();
            let bytes = self.frames.next(u64::MAX)?;
            if bytes.is_empty() {
                return Err(PLACE.damaged("it ends without its trailer"));
            }
            let end = bytes.iter().position(|&b| b == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + part.len() > MAX_LINE {
                return Err(PLACE.damaged("a line is absurdly long"));
            }
            self.line.extend_from_slice(part);
            if let Some(end) = end {
                self.frames.seek(start + end as u64 + 1);
                return Ok(());
            }
        }
    }
}

fn parse(line: &[u8]) -> Result<Line<'_>, Fault> {
    serde_json::from_slice(line).map_err(|_| PLACE.damaged("a line is not what it should be"))
}
