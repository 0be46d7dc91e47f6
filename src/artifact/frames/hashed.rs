//! SHA-256 of a file on the way, while it is read for another reason.

use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::{Arc, Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

use super::seal::hex;
use crate::{
    artifact::{
        Gauge,
        fault::{Fault, Place},
    },
    storage::ReadSeek,
};

/// Hashes each byte the first time it is read in order; [`Hashed::finish`] reads what was skipped
/// at the end.
pub(crate) struct Hashed {
    file: Box<dyn ReadSeek>,
    at: u64,
    state: Arc<Mutex<State>>,
}

/// The hash, apart from the file, which a decryptor swallows.
#[derive(Clone)]
pub(crate) struct HashHandle(Arc<Mutex<State>>);

struct State {
    hash: Sha256,
    hashed: u64,
}

impl Hashed {
    pub(crate) fn new(file: Box<dyn ReadSeek>) -> (Self, HashHandle) {
        let state = Arc::new(Mutex::new(State {
            hash: Sha256::new(),
            hashed: 0,
        }));
        let handle = HashHandle(Arc::clone(&state));
        (Self { file, at: 0, state }, handle)
    }
}

impl HashHandle {
    /// Reads the rest of the file (another handle of it) and gives length and hash of the whole.
    pub(crate) fn finish(
        &self,
        mut file: Box<dyn ReadSeek>,
        place: Place,
        gauge: &Gauge,
    ) -> Result<(u64, String), Fault> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |error| place.read_failed(error);
        file.seek(SeekFrom::Start(state.hashed)).map_err(failed)?;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            gauge.check()?;
            let read = file.read(&mut buffer).map_err(failed)?;
            if read == 0 {
                let hash = state.hash.clone().finalize();
                return Ok((state.hashed, hex(&hash)));
            }
            state.hash.update(&buffer[..read]);
            state.hashed += read as u64;
            gauge.add_bytes(read as u64);
        }
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let end = self.at + read as u64;
        if self.at <= state.hashed && end > state.hashed {
            let new = (state.hashed - self.at) as usize;
            state.hash.update(&buffer[new..read]);
            state.hashed = end;
        }
        self.at = end;
        Ok(read)
    }
}

impl Seek for Hashed {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}
