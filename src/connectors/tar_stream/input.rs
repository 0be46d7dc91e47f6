//! The chunks not read yet: blocks are copied out of them, content is sliced.

use std::collections::VecDeque;

use bytes::Bytes;

use super::header::BLOCK;

/// Chunks of the stream in their order, and the block being collected.
#[derive(Debug)]
pub struct Input {
    chunks: VecDeque<Bytes>,
    block: [u8; BLOCK],
    filled: usize,
}

impl Default for Input {
    fn default() -> Self {
        Self {
            chunks: VecDeque::new(),
            block: [0; BLOCK],
            filled: 0,
        }
    }
}

/// `length`, but at most `limit`.
pub fn bounded(length: u64, limit: usize) -> usize {
    usize::try_from(length).map_or(limit, |length| length.min(limit))
}

impl Input {
    /// Adds a chunk at the end.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// True if a block has begun but is not whole.
    pub fn in_block(&self) -> bool {
        self.filled > 0
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.chunks.clear();
        self.filled = 0;
    }

    /// The next whole block, collected over as many chunks as it takes.
    pub fn take_block(&mut self) -> Option<[u8; BLOCK]> {
        while self.filled < BLOCK {
            let slice = self.take_slice(BLOCK - self.filled)?;
            self.block[self.filled..self.filled + slice.len()].copy_from_slice(&slice);
            self.filled += slice.len();
        }
        self.filled = 0;
        Some(self.block)
    }

    /// A slice of the next chunk, at most `limit` bytes.
    pub fn take_slice(&mut self, limit: usize) -> Option<Bytes> {
        let front = self.chunks.front_mut()?;
        let slice = front.split_to(limit.min(front.len()));
        if front.is_empty() {
            self.chunks.pop_front();
        }
        Some(slice)
    }

    /// Appends to `data` until it has `length` bytes or the input is used up.
    pub fn take_into(&mut self, data: &mut Vec<u8>, length: usize) {
        while data.len() < length {
            match self.take_slice(length - data.len()) {
                Some(slice) => data.extend_from_slice(&slice),
                None => break,
            }
        }
    }

    /// Drops input; returns what is still to be dropped.
    pub fn discard(&mut self, mut left: u64) -> u64 {
        while left > 0
            && let Some(front) = self.chunks.front_mut()
        {
            let now = bounded(left, front.len());
            let _ = front.split_to(now);
            left -= now as u64;
            if front.is_empty() {
                self.chunks.pop_front();
            }
        }
        left
    }
}
