//! Frames out of an encrypted file, one at a time, in any order. Memory is one frame.

use super::{
    FRAME,
    seek_table::{self, FOOTER, SeekTable},
    unseal::Unsealed,
};
use crate::{
    artifact::fault::{Fault, Place},
    crypto::age_keys::FileKey,
    storage::ReadSeek,
};

/// Gets each frame in its compressed form when it is read.
pub(crate) type Tee<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Fault>;

/// Content of an encrypted file by offset.
pub(crate) struct FrameReader<'a> {
    file: Unsealed,
    table: SeekTable,
    decompressor: zstd::bulk::Decompressor<'static>,
    compressed: Vec<u8>,
    content: Vec<u8>,
    /// Which frame `content` is.
    current: Option<u64>,
    at: u64,
    tee: Option<Tee<'a>>,
}

impl<'a> FrameReader<'a> {
    /// Opens a file and reads its seek table.
    pub(crate) fn open(file: Box<dyn ReadSeek>, key: &FileKey, place: Place) -> Result<Self, Fault> {
        let mut file = Unsealed::open(file, key, place)?;
        let damaged = |what| place.damaged(what);
        let mut footer = [0; FOOTER];
        let start = file.length().checked_sub(FOOTER as u64).ok_or(damaged("it is empty"))?;
        file.read_at(start, &mut footer)?;
        let length = seek_table::length(&footer).map_err(damaged)?;
        // The file really is that long, so the allocation is bounded by what lies on disk.
        let start = file
            .length()
            .checked_sub(length)
            .ok_or(damaged("its seek table is cut short"))?;
        let mut bytes = vec![0; length as usize];
        file.read_at(start, &mut bytes)?;
        let table = SeekTable::parse(&bytes, start).map_err(damaged)?;
        let decompressor = zstd::bulk::Decompressor::new().map_err(|error| place.read_failed(error))?;
        Ok(Self {
            file,
            table,
            decompressor,
            compressed: Vec::new(),
            content: Vec::with_capacity(FRAME),
            current: None,
            at: 0,
            tee: None,
        })
    }

    /// Bytes of content in the whole file.
    pub(crate) fn length(&self) -> u64 {
        self.table.content()
    }

    /// Offset of the next byte.
    pub(crate) fn position(&self) -> u64 {
        self.at
    }

    /// Goes to `offset`; nothing is read yet.
    pub(crate) fn seek(&mut self, offset: u64) {
        self.at = offset;
    }

    /// The file's name, for messages.
    pub(crate) fn place(&self) -> Place {
        self.file.place()
    }

    /// Has each frame passed to `tee` as it is read.
    pub(crate) fn tee(&mut self, tee: Tee<'a>) {
        self.tee = Some(tee);
    }

    /// The next bytes of content, at most `most`; empty at the end. They count as read.
    pub(crate) fn next(&mut self, most: u64) -> Result<&[u8], Fault> {
        if self.at >= self.table.content() {
            return Ok(&[]);
        }
        let frame = self.at / FRAME as u64;
        if self.current != Some(frame) {
            self.load(frame)?;
        }
        let from = (self.at % FRAME as u64) as usize;
        let rest = &self.content[from..];
        let length = rest.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        self.at += length as u64;
        Ok(&rest[..length])
    }

    /// Fills `buffer`.
    pub(crate) fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), Fault> {
        let place = self.place();
        let mut filled = 0;
        while filled < buffer.len() {
            let bytes = self.next((buffer.len() - filled) as u64)?;
            if bytes.is_empty() {
                return Err(place.damaged("its content ends too early"));
            }
            buffer[filled..filled + bytes.len()].copy_from_slice(bytes);
            filled += bytes.len();
        }
        Ok(())
    }

    /// Passes the seek table, as it stands in the file, to the tee.
    pub(crate) fn tee_table(mut self) -> Result<(), Fault> {
        let Some(tee) = self.tee else {
            return Ok(());
        };
        let start = self.table.compressed();
        let mut bytes = vec![0; (self.file.length() - start) as usize];
        self.file.read_at(start, &mut bytes)?;
        tee(&bytes)
    }

    fn load(&mut self, frame: u64) -> Result<(), Fault> {
        let place = self.place();
        let (range, length) = self.table.frame(frame).ok_or(place.damaged("it ends too early"))?;
        self.current = None;
        // Bounded: the table refuses frames larger than zstd makes them.
        self.compressed.resize((range.end - range.start) as usize, 0);
        self.file.read_at(range.start, &mut self.compressed)?;
        self.content.clear();
        let got = self
            .decompressor
            .decompress_to_buffer(&self.compressed, &mut self.content);
        if got.ok() != Some(length) {
            return Err(place.damaged("a compressed frame is damaged"));
        }
        self.current = Some(frame);
        match &mut self.tee {
            Some(tee) => tee(&self.compressed),
            None => Ok(()),
        }
    }
}
