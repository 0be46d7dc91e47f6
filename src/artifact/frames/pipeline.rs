//! Frames compressed on several threads and sealed, in order, by one more.
//!
//! Whichever compressing thread is free takes the next piece, so one that the system holds up does
//! not hold up the others. Order is kept by a queue of promises: each piece comes with a channel for
//! its frame, and the sealer waits for them in the order in which they were handed out. A thread that
//! ends early closes its channels, which every neighbour notices; the reason is found when the threads
//! are joined.
//!
//! The buffers for pieces and frames are made at the start and go round: a backup takes its memory
//! once, the same for one huge file as for a million small ones, and the allocator has nothing to
//! scatter. Whoever finds no spare buffer waits, which is all the back-pressure there is.

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

/// Pieces beyond those being compressed: one being filled, and one that waits, so that a compressing
/// thread has work at once when it is done. With more to run than there are processors, waking the
/// packer first takes longer than compressing.
const PIECES_AHEAD: usize = 2;

/// Frames beyond those being made: the one being sealed.
const FRAMES_AHEAD: usize = 1;

/// A piece of content, and where its frame is awaited.
struct Order {
    piece: Vec<u8>,
    frame: SyncSender<Frame>,
}

/// The frame of a piece, some time. `None` ends the stream.
type Promise = Option<Receiver<Frame>>;

/// The packer's end. Dropped without [`Pipeline::finish`], it ends its threads and waits for them.
pub(crate) struct Pipeline {
    /// Being filled. Without capacity once the pipeline has failed.
    piece: Vec<u8>,
    written: u64,
    /// `None` once the threads were told to end.
    queues: Option<Queues>,
    compressors: Vec<JoinHandle<io::Result<()>>>,
    sealer: Option<JoinHandle<io::Result<SealedFile>>>,
}

/// What the packer talks to the threads through.
struct Queues {
    orders: SyncSender<Order>,
    promises: SyncSender<Promise>,
    /// Empty pieces that come back.
    spare: Receiver<Vec<u8>>,
}

/// A compressing thread's end. A buffer is taken before an order and both under one lock: the frame
/// that the sealer waits for is then always among those being made.
struct Supply {
    frames: Receiver<Vec<u8>>,
    orders: Receiver<Order>,
}

impl Pipeline {
    /// Starts `threads` (at least one) compressing threads and one that seals.
    pub(crate) fn start(seal: Seal, threads: usize) -> io::Result<Self> {
        let threads = threads.max(1);
        let (orders, taken) = sync_channel(PIECES_AHEAD);
        let (promises, kept) = sync_channel(threads + PIECES_AHEAD);
        let (emptied, spare) = pool(threads + PIECES_AHEAD, FRAME);
        let most = zstd::zstd_safe::compress_bound(FRAME);
        let (sealed, frames) = pool(threads + FRAMES_AHEAD, most);
        let supply = Arc::new(Mutex::new(Supply { frames, orders: taken }));
        let mut pipeline = Self {
            piece: Vec::new(),
            written: 0,
            queues: Some(Queues {
                orders,
                promises,
                spare,
            }),
            compressors: Vec::new(),
            sealer: None,
        };
        for _ in 0..threads {
            let (supply, emptied) = (Arc::clone(&supply), emptied.clone());
            let named = thread::Builder::new().name("xvault-zstd".into());
            pipeline
                .compressors
                .push(named.spawn(move || compress(&supply, &emptied))?);
        }
        let named = thread::Builder::new().name("xvault-seal".into());
        pipeline.sealer = Some(named.spawn(move || seal_in_order(&kept, &sealed, seal))?);
        Ok(pipeline)
    }

    /// Bytes written so far.
    pub(crate) fn position(&self) -> u64 {
        self.written
    }

    /// Appends content. Once this has failed, so does everything after it.
    pub(crate) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.piece.capacity() == 0 {
                self.piece = self.spare_piece()?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(FRAME - self.piece.len()));
            self.piece.extend_from_slice(now);
            bytes = later;
            if self.piece.len() == FRAME {
                let full = std::mem::take(&mut self.piece);
                self.hand_out(full)?;
            }
        }
        Ok(())
    }

    fn spare_piece(&mut self) -> io::Result<Vec<u8>> {
        let spare = self.queues.as_ref().and_then(|queues| queues.spare.recv().ok());
        spare.ok_or_else(|| self.reason())
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

/// `count` empty buffers of `capacity` bytes, and the way back for them. Touched here, so that the
/// system's memory is there before the first byte is read from a source.
fn pool(count: usize, capacity: usize) -> (SyncSender<Vec<u8>>, Receiver<Vec<u8>>) {
    let (give, take) = sync_channel(count);
    for _ in 0..count {
        // Of zeros the allocator would only promise pages.
        let mut buffer = vec![0xff; capacity];
        buffer.clear();
        // There is room for all, and the other end is in our hand.
        let _ = give.try_send(buffer);
    }
    (give, take)
}

fn compress(supply: &Mutex<Supply>, emptied: &SyncSender<Vec<u8>>) -> io::Result<()> {
    let mut compressor = compressor()?;
    loop {
        let (mut compressed, order) = {
            // Waiting for the lock is waiting for an order: whoever holds it does only that.
            let supply = supply.lock().unwrap_or_else(PoisonError::into_inner);
            let Ok(buffer) = supply.frames.recv() else {
                return Ok(());
            };
            let Ok(order) = supply.orders.recv() else {
                return Ok(());
            };
            (buffer, order)
        };
        let Order { mut piece, frame } = order;
        compressor.compress_to_buffer(&piece, &mut compressed)?;
        let content = piece.len() as u32;
        piece.clear();
        // The packer may be done, and nobody waits for the frame if the sealer ended early, which has
        // the reason.
        let _ = emptied.try_send(piece);
        let _ = frame.send(Frame { compressed, content });
    }
}

fn seal_in_order(promises: &Receiver<Promise>, spare: &SyncSender<Vec<u8>>, seal: Seal) -> io::Result<SealedFile> {
    let mut sealed = SealedFrames::new(seal);
    while let Some(promise) = promises.recv().map_err(|_| ended())? {
        let mut frame = promise.recv().map_err(|_| ended())?;
        sealed.frame(&frame)?;
        frame.compressed.clear();
        // The compressing threads may be done.
        let _ = spare.try_send(frame.compressed);
    }
    sealed.finish()
}
