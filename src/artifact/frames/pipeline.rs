//! Frames compressed on several threads and sealed, in order, by one more.
//!
//! Whichever compressing thread is free takes the next piece, so one that the system holds up does
//! not hold up the others. Order is kept by a queue of promises: each piece comes with a channel for
//! its frame, and the sealer waits for them in the order in which they were handed out. How many
//! promises may be open bounds the memory. A thread that ends early closes its channels, which every
//! neighbour notices; the reason is found when the threads are joined.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use super::{
    FRAME, Frame, compressor,
    seal::{Seal, SealedFile},
    single::SealedFrames,
};
use crate::domain::{error_code::ErrorCode, job::JobError};

/// Pieces that may wait for a compressing thread, which thus has work at once when it is done: with
/// more to run than there are processors, waking the packer first takes longer than compressing.
const AHEAD: usize = 2;

/// A piece of content, and where its frame is awaited.
struct Order {
    piece: Vec<u8>,
    frame: SyncSender<Frame>,
}

/// The frame of a piece, some time. `None` ends the stream.
type Promise = Option<Receiver<Frame>>;

/// The packer's end. Dropped without [`Pipeline::finish`], it ends its threads and waits for them.
pub(crate) struct Pipeline {
    piece: Vec<u8>,
    written: u64,
    /// `None` once the threads were told to end.
    queues: Option<Queues>,
    compressors: Vec<JoinHandle<io::Result<()>>>,
    sealer: Option<JoinHandle<io::Result<SealedFile>>>,
}

struct Queues {
    orders: SyncSender<Order>,
    promises: SyncSender<Promise>,
}

impl Pipeline {
    /// Starts `threads` (at least one) compressing threads and one that seals.
    pub(crate) fn start(seal: Seal, threads: usize) -> io::Result<Self> {
        let threads = threads.max(1);
        let (orders, taken) = sync_channel(AHEAD);
        let (promises, kept) = sync_channel(threads + AHEAD);
        let taken = Arc::new(Mutex::new(taken));
        let mut pipeline = Self {
            piece: Vec::with_capacity(FRAME),
            written: 0,
            queues: Some(Queues { orders, promises }),
            compressors: Vec::new(),
            sealer: None,
        };
        for _ in 0..threads {
            let taken = Arc::clone(&taken);
            let named = thread::Builder::new().name("xvault-zstd".into());
            pipeline.compressors.push(named.spawn(move || compress(&taken))?);
        }
        let named = thread::Builder::new().name("xvault-seal".into());
        pipeline.sealer = Some(named.spawn(move || seal_in_order(&kept, seal))?);
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
            self.hand_out(full)?;
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

    fn hand_out(&mut self, piece: Vec<u8>) -> io::Result<()> {
        let (frame, promise) = sync_channel(1);
        self.promise(Some(promise))?;
        let order = Order { piece, frame };
        let taken = self
            .queues
            .as_ref()
            .is_some_and(|queues| queues.orders.send(order).is_ok());
        if taken { Ok(()) } else { Err(self.reason()) }
    }

    fn promise(&mut self, promise: Promise) -> io::Result<()> {
        let kept = self
            .queues
            .as_ref()
            .is_some_and(|queues| queues.promises.send(promise).is_ok());
        if kept { Ok(()) } else { Err(self.reason()) }
    }

    /// Why a thread behind a queue is gone.
    fn reason(&mut self) -> io::Error {
        self.join().err().unwrap_or_else(ended)
    }

    /// Compresses what is left, writes the seek table and closes the file.
    pub(crate) fn finish(mut self) -> io::Result<SealedFile> {
        if !self.piece.is_empty() {
            let last = std::mem::take(&mut self.piece);
            self.hand_out(last)?;
        }
        self.promise(None)?;
        self.join()?.ok_or_else(ended)
    }

    /// Ends all threads and gives the first reason one of them had to end early.
    fn join(&mut self) -> io::Result<Option<SealedFile>> {
        self.queues = None;
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

fn compress(orders: &Mutex<Receiver<Order>>) -> io::Result<()> {
    let mut compressor = compressor()?;
    loop {
        // Waiting for the lock is waiting for an order: whoever holds it does only that.
        let order = orders.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Order { piece, frame }) = order else {
            return Ok(());
        };
        let compressed = compressor.compress(&piece)?;
        let content = piece.len() as u32;
        // Nobody waits for it if the sealer ended early, which has the reason.
        let _ = frame.send(Frame { compressed, content });
    }
}

fn seal_in_order(promises: &Receiver<Promise>, seal: Seal) -> io::Result<SealedFile> {
    let mut sealed = SealedFrames::new(seal);
    while let Some(promise) = promises.recv().map_err(|_| ended())? {
        let frame = promise.recv().map_err(|_| ended())?;
        sealed.frame(&frame)?;
    }
    sealed.finish()
}
