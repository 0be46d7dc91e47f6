//! Frames compressed where they arise: for the index, which is small.

use std::io;

use super::{
    FRAME, compressor,
    seal::{Seal, SealedFile},
    seek_table,
};
use crate::domain::{error_code::ErrorCode, job::JobError};

/// Cuts, compresses and seals in the caller's thread.
pub(crate) struct SingleWriter {
    piece: Vec<u8>,
    compressor: zstd::bulk::Compressor<'static>,
    sealed: SealedFrames,
}

impl SingleWriter {
    pub(crate) fn new(seal: Seal) -> io::Result<Self> {
        Ok(Self {
            piece: Vec::new(),
            compressor: compressor()?,
            sealed: SealedFrames::new(seal),
        })
    }

    pub(crate) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while self.piece.len() + bytes.len() >= FRAME {
            let (now, later) = bytes.split_at(FRAME - self.piece.len());
            self.piece.extend_from_slice(now);
            self.flush_piece()?;
            bytes = later;
        }
        self.piece.extend_from_slice(bytes);
        Ok(())
    }

    fn flush_piece(&mut self) -> io::Result<()> {
        let compressed = self.compressor.compress(&self.piece)?;
        self.sealed.frame(&super::Frame {
            compressed,
            content: self.piece.len() as u32,
        })?;
        self.piece.clear();
        Ok(())
    }

    pub(crate) fn finish(mut self) -> io::Result<SealedFile> {
        if !self.piece.is_empty() {
            self.flush_piece()?;
        }
        self.sealed.finish()
    }
}

/// Frames in order into a sealed file, and the table after them.
pub(super) struct SealedFrames {
    seal: Seal,
    table: seek_table::Builder,
}

impl SealedFrames {
    pub(super) fn new(seal: Seal) -> Self {
        Self {
            seal,
            table: seek_table::Builder::default(),
        }
    }

    pub(super) fn frame(&mut self, frame: &super::Frame) -> io::Result<()> {
        // A frame's compressed form is bounded by zstd, far below u32.
        if !self.table.push(frame.compressed.len() as u32, frame.content) {
            return Err(io::Error::other(JobError::new(
                ErrorCode::SourceLimit,
                "the source holds more than 256 TiB, more than a snapshot can",
                "split it into several sources",
            )));
        }
        self.seal.write_all(&frame.compressed)
    }

    pub(super) fn finish(mut self) -> io::Result<SealedFile> {
        self.seal.write_all(&self.table.to_bytes())?;
        self.seal.finish()
    }
}
