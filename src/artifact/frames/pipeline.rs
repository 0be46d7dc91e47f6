//! Frames compressed on several threads and sealed, in order, by one more.
//!
//! Pieces are dealt to the compressing threads in turn and collected in the same turn, so order
//! needs no sorting and memory is bounded by the channels: per thread one piece waiting, one in
//! work, and the same of frames. A thread that ends early closes its channels, which every
//! neighbour notices; the reason is found when the threads are joined.

use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use super::{
    FRAME, Frame, compressor,
    seal::{Seal, SealedFile},
    single::SealedFrames,
};
use crate::domain::{error_code::ErrorCode, job::JobError};

/// Pieces, and frames, that may wait per compressing thread.
const WAITING: usize = 1;

/// The packer's end. Dropped without [`Pipeline::finish`], it ends its threads and waits for them.
pub(crate) struct Pipeline {
    piece: Vec<u8>,
    /// `None` ends the stream.
    lanes: Vec<SyncSender<Option<Vec<u8>>>>,
    turn: usize,
    written: u64,
    compressors: Vec<JoinHandle<io::Result<()>>>,
    sealer: Option<JoinHandle<io::Result<SealedFile>>>,
}

impl Pipeline {
    /// Starts `threads` (at least one) compressing threads and one that seals.
    pub(crate) fn start(seal: Seal, threads: usize) -> io::Result<Self> {
        let mut pipeline = Self {
            piece: Vec::with_capacity(FRAME),
            lanes: Vec::new(),
            turn: 0,
            written: 0,
            compressors: Vec::new(),
            sealer: None,
        };
        let mut frames = Vec::new();
        for _ in 0..threads.max(1) {
            let (lane, pieces) = sync_channel(WAITING);
            let (done, collected) = sync_channel(WAITING);
            let named = thread::Builder::new().name("xvault-zstd".into());
            pipeline
                .compressors
                .push(named.spawn(move || compress(&pieces, &done))?);
            pipeline.lanes.push(lane);
            frames.push(collected);
        }
        let named = thread::Builder::new().name("xvault-seal".into());
        pipeline.sealer = Some(named.spawn(move || seal_in_turn(&frames, seal))?);
        Ok(pipeline)
    }

    /// Bytes written so far.
    pub(crate) fn position(&self) -> u64 {
        self.written
    }

    /// Appends content. Once this has failed, so does everything after it.
    pub(crate) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        while self.piece.len() + bytes.len() >= FRAME {
            let (now, later) = bytes.split_at(FRAME - self.piece.len());
            self.piece.extend_from_slice(now);
            let full = std::mem::replace(&mut self.piece, Vec::with_capacity(FRAME));
            self.deal(Some(full))?;
            bytes = later;
        }
        self.piece.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends `count` zero bytes.
    pub(crate) fn write_zeros(&mut self, mut count: u64) -> io::Result<()> {
        static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
        while count > 0 {
            let now = count.min(ZEROS.len() as u64);
            self.write_all(&ZEROS[..now as usize])?;
            count -= now;
        }
        Ok(())
    }

    fn deal(&mut self, piece: Option<Vec<u8>>) -> io::Result<()> {
        let Some(lane) = self.lanes.get(self.turn) else {
            return Err(ended());
        };
        if lane.send(piece).is_err() {
            // The thread behind the lane is gone, so joining them all gives a reason.
            return Err(self.join().err().unwrap_or_else(ended));
        }
        self.turn = (self.turn + 1) % self.lanes.len();
        Ok(())
    }

    /// Compresses what is left, writes the seek table and closes the file.
    pub(crate) fn finish(mut self) -> io::Result<SealedFile> {
        if !self.piece.is_empty() {
            let last = std::mem::take(&mut self.piece);
            self.deal(Some(last))?;
        }
        self.deal(None)?;
        self.join()?.ok_or_else(ended)
    }

    /// Ends all threads and gives the first reason one of them had to end early.
    fn join(&mut self) -> io::Result<Option<SealedFile>> {
        self.lanes.clear();
        let mut outcome = Ok(());
        for compressor in self.compressors.drain(..) {
            outcome = outcome.and(joined(compressor));
        }
        let sealed = self.sealer.take().map(joined).transpose();
        // A sealer that lost a compressor only says so; the compressor knows why.
        outcome.and(sealed)
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // Whoever drops it early has a reason already.
        let _ = self.join();
    }
}

fn ended() -> io::Error {
    broken("a thread that compresses or encrypts ended early")
}

fn broken(message: &str) -> io::Error {
    io::Error::other(JobError::new(ErrorCode::Internal, message, ""))
}

fn joined<T>(thread: JoinHandle<io::Result<T>>) -> io::Result<T> {
    thread
        .join()
        .unwrap_or_else(|_| Err(broken("a thread that compresses or encrypts panicked")))
}

fn compress(pieces: &Receiver<Option<Vec<u8>>>, done: &SyncSender<Option<Frame>>) -> io::Result<()> {
    let mut compressor = compressor()?;
    while let Ok(piece) = pieces.recv() {
        let frame = match piece {
            Some(piece) => Some(Frame {
                compressed: compressor.compress(&piece)?,
                content: piece.len() as u32,
            }),
            None => None,
        };
        if done.send(frame).is_err() {
            // The sealer ended early and has the reason.
            break;
        }
    }
    Ok(())
}

fn seal_in_turn(lanes: &[Receiver<Option<Frame>>], seal: Seal) -> io::Result<SealedFile> {
    let mut sealed = SealedFrames::new(seal);
    for lane in lanes.iter().cycle() {
        match lane.recv() {
            Ok(Some(frame)) => sealed.frame(&frame)?,
            Ok(None) => break,
            Err(_) => return Err(ended()),
        }
    }
    sealed.finish()
}
