//! The few packets of MySQL's protocol that come before a connection is open: greeting, TLS request, login.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Largest packet before the login is over; greetings and proofs are far smaller.
const MAX_PACKET: usize = 64 * 1024;

/// Capability flag: the server can speak TLS, or the client wants to.
const SSL: u32 = 0x0800;
/// Capability flag: the client's login has the 32 bytes in front that a TLS request repeats.
const PROTOCOL_41: u32 = 0x0200;
/// Bytes of a login that a TLS request repeats.
const TLS_REQUEST: usize = 32;

/// One packet: its number in the exchange, and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    /// Counts up over both directions, from 0.
    pub(super) number: u8,
    /// Never empty where it matters: see [`kind`](Self::kind).
    pub(super) content: Vec<u8>,
}

impl Packet {
    /// Reads the next one.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut head = [0; 4];
        from.read_exact(&mut head).await?;
        let [a, b, c, number] = head;
        let length = u32::from_le_bytes([a, b, c, 0]) as usize;
        if length > MAX_PACKET {
            let text = format!("a packet of {length} bytes before the login");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let mut content = vec![0; length];
        from.read_exact(&mut content).await?;
        Ok(Self { number, content })
    }

    /// Sends it.
    pub(super) async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        // A packet is at most MAX_PACKET long, so the upper byte is 0.
        let [a, b, c, _] = (self.content.len() as u32).to_le_bytes();
        let mut bytes = vec![a, b, c, self.number];
        bytes.extend_from_slice(&self.content);
        to.write_all(&bytes).await?;
        to.flush().await
    }

    /// The same with another number.
    pub(super) fn numbered(self, number: u8) -> Self {
        Self { number, ..self }
    }

    /// The first byte, which tells what it is.
    pub(super) fn kind(&self) -> Option<u8> {
        self.content.first().copied()
    }

    /// True if this greeting offers TLS; the offer is removed from it. `None` if it is no greeting.
    pub(super) fn take_tls_offer(&mut self) -> Option<bool> {
        // Protocol version 10, the server's version up to a NUL, 4 bytes of thread id, 8 of salt, a NUL, then
        // the lower half of the flags.
        if self.kind() != Some(10) {
            return None;
        }
        let version = self.content.iter().position(|&b| b == 0)?;
        let place = version + 1 + 4 + 8 + 1;
        let flags = self.content.get_mut(place..place + 2)?;
        let bit = SSL.to_le_bytes();
        let offered = flags[1] & bit[1] != 0;
        flags[1] &= !bit[1];
        Some(offered)
    }

    /// Makes this login one that goes over TLS. Gives the request for TLS that must precede it; `None` if it is
    /// no login of this century.
    pub(super) fn make_tls_request(&mut self) -> Option<Self> {
        let [a, b, c, d, ..] = *self.content.as_slice() else {
            return None;
        };
        let flags = u32::from_le_bytes([a, b, c, d]);
        if flags & PROTOCOL_41 == 0 || self.content.len() < TLS_REQUEST {
            return None;
        }
        self.content[..4].copy_from_slice(&(flags | SSL).to_le_bytes());
        Some(Self {
            number: self.number,
            content: self.content[..TLS_REQUEST].to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(flags: u16) -> Packet {
        let mut content = b"\x0a11.4.2-MariaDB\0".to_vec();
        content.extend([1, 0, 0, 0]);
        content.extend(b"saltsalt\0");
        content.extend(flags.to_le_bytes());
        content.extend([33, 2, 0]);
        Packet { number: 0, content }
    }

    #[test]
    fn the_offer_of_tls_is_taken_out_of_a_greeting() {
        let mut with = greeting(0xffff);
        assert_eq!(with.take_tls_offer(), Some(true));
        assert_eq!(with, greeting(0xf7ff));
        assert_eq!(with.take_tls_offer(), Some(false));
        for content in [
            vec![],
            vec![10],
            b"\x0aversion without an end".to_vec(),
            b"\xffno".to_vec(),
        ] {
            assert_eq!(Packet { number: 0, content }.take_tls_offer(), None);
        }
    }

    #[test]
    fn a_request_for_tls_repeats_the_head_of_the_login() {
        let mut content = (PROTOCOL_41 | 5).to_le_bytes().to_vec();
        content.extend([7; 40]);
        let mut login = Packet { number: 1, content };
        let request = login.make_tls_request().unwrap();
        assert_eq!(request.content, login.content[..32]);
        assert_eq!(request.content[..4], (PROTOCOL_41 | SSL | 5).to_le_bytes());
        let short = vec![0, 2, 0, 0];
        assert_eq!(
            Packet {
                number: 1,
                content: short
            }
            .make_tls_request(),
            None
        );
    }

    #[tokio::test]
    async fn packets_arrive_as_they_were_sent_and_giants_are_refused() {
        let packet = greeting(1);
        let mut wire = Vec::new();
        packet.write(&mut wire).await.unwrap();
        assert_eq!(Packet::read(&mut wire.as_slice()).await.unwrap(), packet);
        assert!(Packet::read(&mut &[255, 255, 255, 0][..]).await.is_err());
    }
}
