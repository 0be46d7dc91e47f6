//! Names are bytes. suppaftp takes text, so each byte travels as the character of the same number.

use std::io;

use suppaftp::Encoding;

/// Text whose characters are bytes.
#[derive(Debug)]
pub struct Bytes;

impl Encoding for Bytes {
    fn decode(&self, bytes: &[u8]) -> String {
        as_text(bytes)
    }

    fn encode(&self, text: &str) -> io::Result<Vec<u8>> {
        let byte = |c| u8::try_from(u32::from(c)).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
        text.chars().map(byte).collect()
    }
}

/// Bytes as suppaftp takes them.
pub fn as_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_goes_and_comes() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(Bytes.encode(&as_text(&all)).unwrap(), all);
        assert_eq!(Bytes.encode(&Bytes.decode(&all)).unwrap(), all);
        assert!(Bytes.encode("\u{100}").is_err());
    }
}
