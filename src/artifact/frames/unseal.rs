//! The incoming end of an encrypted file: age, from any offset.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use age::{DecryptError, Decryptor, stream::StreamReader};

use super::seal::header_length;
use crate::{
    artifact::fault::{Fault, Place},
    crypto::age_keys::{FileKey, FileKeyIdentity, MAX_HEADER},
    storage::ReadSeek,
};

/// Reads the age header at the start of `file`.
pub(crate) fn header(file: &mut dyn ReadSeek, place: Place) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut part = [0; 1024];
    while bytes.len() < MAX_HEADER {
        let read = file.read(&mut part).map_err(|error| place.read_failed(error))?;
        bytes.extend_from_slice(&part[..read]);
        if let Some(length) = header_length(&bytes) {
            bytes.truncate(length);
            return Ok(bytes);
        }
        if read == 0 {
            break;
        }
    }
    Err(place.damaged("it does not begin with an age header"))
}

/// A decrypted file. Never seeks past its authenticated end, where age's reader would go astray.
pub(crate) struct Unsealed {
    age: StreamReader<BufReader<Box<dyn ReadSeek>>>,
    at: u64,
    length: u64,
    place: Place,
}

impl Unsealed {
    pub(crate) fn open(mut file: Box<dyn ReadSeek>, key: &FileKey, place: Place) -> Result<Self, Fault> {
        // Bounds what age's parser reads before it finds the header's end.
        header(file.as_mut(), place)?;
        file.rewind().map_err(|error| place.read_failed(error))?;
        let decryptor = Decryptor::new(BufReader::with_capacity(4096, file)).map_err(|error| place.no_header(error))?;
        let identity = FileKeyIdentity(key.clone());
        let mut age = decryptor
            .decrypt(std::iter::once(&identity as &dyn age::Identity))
            .map_err(|error| match error {
                DecryptError::InvalidMac | DecryptError::KeyDecryptionFailed => Fault::WrongKey(place),
                other => place.no_header(other),
            })?;
        let length = age.seek(SeekFrom::End(0)).map_err(|error| place.read_failed(error))?;
        Ok(Self {
            age,
            at: length,
            length,
            place,
        })
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Fills `buffer` from `offset`.
    pub(crate) fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.length) {
            return Err(self.place.damaged("it ends too early"));
        }
        let mut read = |age: &mut StreamReader<_>, at: u64| -> io::Result<()> {
            if at != offset {
                age.seek(SeekFrom::Start(offset))?;
            }
            age.read_exact(buffer)
        };
        read(&mut self.age, self.at).map_err(|error| self.place.read_failed(error))?;
        self.at = offset + buffer.len() as u64;
        Ok(())
    }
}
