//! The outgoing end of an encrypted file: age, with the length, the SHA-256 and the age header of
//! what was written.

use std::io::{self, Write};

use age::{Encryptor, Recipient, stream::StreamWriter, x25519};
use sha2::{Digest, Sha256};

use crate::artifact::manifest::FileSum;

/// What a finished file is.
pub(crate) struct SealedFile {
    /// Its length and hash.
    pub(crate) sum: FileSum,
    /// Its age header, line break included.
    pub(crate) header: Vec<u8>,
}

/// Encrypts what is written to it.
pub(crate) struct Seal(StreamWriter<Tally>);

impl Seal {
    /// Starts a file; writes the age header.
    pub(crate) fn new(out: Box<dyn Write + Send>, recipients: &[x25519::Recipient]) -> io::Result<Self> {
        let all = recipients.iter().map(|recipient| recipient as &dyn Recipient);
        let encryptor = Encryptor::with_recipients(all).map_err(io::Error::other)?;
        let tally = Tally {
            out,
            hash: Sha256::new(),
            bytes: 0,
            header: Vec::new(),
            header_ended: false,
        };
        encryptor.wrap_output(tally).map(Self)
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Writes the last chunk.
    pub(crate) fn finish(self) -> io::Result<SealedFile> {
        let mut tally = self.0.finish()?;
        tally.out.flush()?;
        Ok(SealedFile {
            sum: FileSum {
                bytes: tally.bytes,
                sha256: hex(&tally.hash.finalize()),
            },
            header: tally.header,
        })
    }
}

/// Counts and hashes what passes, and keeps the age header.
struct Tally {
    out: Box<dyn Write + Send>,
    hash: Sha256,
    bytes: u64,
    header: Vec<u8>,
    header_ended: bool,
}

impl Write for Tally {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        let bytes = &bytes[..written];
        self.hash.update(bytes);
        self.bytes += written as u64;
        if !self.header_ended {
            self.header.extend_from_slice(bytes);
            if let Some(length) = header_length(&self.header) {
                self.header.truncate(length);
                self.header_ended = true;
            }
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Length of the age header `bytes` begins with, its last line break included; `None` if it goes on.
pub(crate) fn header_length(bytes: &[u8]) -> Option<usize> {
    let mac = bytes.windows(5).position(|window| window == b"\n--- ")? + 5;
    let end = bytes[mac..].iter().position(|&b| b == b'\n')?;
    Some(mac + end + 1)
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS[usize::from(nibble)] as char;
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}
