//! Messages of PostgreSQL's protocol, as far as a login needs them.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest message of a login; the server's own limit for what a client may send is 10,000.
const MAX_LENGTH: usize = 64 * 1024;

/// `SSLRequest`: length and code.
pub(super) const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Code of a `CancelRequest`, where other first messages have the protocol's version.
const CANCEL: u32 = 80_877_102;

/// The name of a login method that is bound to the TLS connection, which the client program does not see.
const BOUND_TO_TLS: &[u8] = b"SCRAM-SHA-256-PLUS";

/// A message after the first one: its kind and its content, without the length.
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) content: Vec<u8>,
}

/// What a server asks for, or says, during a login.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// Nothing more: the login is over.
    Nothing,
    /// The password as it is.
    Password,
    /// A proof, which the client answers.
    Proof,
    /// Nothing yet; another message follows.
    More,
}

/// The first message of a client, which has no kind.
pub(super) struct Startup(Vec<u8>);

impl Startup {
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        Ok(Self(body(from).await?))
    }

    /// True if it asks the server to stop what another connection does: nothing is answered to that.
    pub(super) fn is_cancel(&self) -> bool {
        self.0.starts_with(&CANCEL.to_be_bytes())
    }

    pub(super) async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        write(to, &[], &self.0).await
    }
}

impl Message {
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let kind = from.read_u8().await?;
        let content = body(from).await?;
        Ok(Self { kind, content })
    }

    pub(super) async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        write(to, &[self.kind], &self.content).await
    }

    /// What a request for authentication asks for; `None` if it is none.
    pub(super) fn asks(&self) -> Option<Asks> {
        let (code, _) = self.content.split_first_chunk::<4>().filter(|_| self.kind == b'R')?;
        Some(match u32::from_be_bytes(*code) {
            0 => Asks::Nothing,
            3 => Asks::Password,
            // The server's own proof at the end of SCRAM.
            12 => Asks::More,
            _ => Asks::Proof,
        })
    }

    /// Takes the methods that are bound to TLS out of those that the server offers.
    pub(super) fn without_methods_bound_to_tls(mut self) -> Self {
        const OFFER: &[u8] = &[0, 0, 0, 10];
        if self.kind == b'R'
            && let Some(offered) = self.content.strip_prefix(OFFER)
        {
            let names = offered
                .split(|&b| b == 0)
                .filter(|name| !name.is_empty() && *name != BOUND_TO_TLS);
            let kept = names.flat_map(|name| [name, b"\0"].concat());
            self.content = OFFER.iter().copied().chain(kept).chain([0]).collect();
        }
        self
    }

    /// A field of an error: `C` the SQLSTATE, `M` the message.
    pub(super) fn field(&self, name: u8) -> Option<String> {
        let mut fields = self.content.split(|&b| b == 0).filter_map(<[u8]>::split_first);
        let (_, text) = fields.find(|(first, _)| **first == name)?;
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

async fn body(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await? as usize;
    if !(4..=MAX_LENGTH).contains(&length) {
        let text = format!("a message of {length} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let mut content = vec![0; length - 4];
    from.read_exact(&mut content).await?;
    Ok(content)
}

async fn write(to: &mut (impl AsyncWrite + Unpin), kind: &[u8], content: &[u8]) -> io::Result<()> {
    // What was read is bounded, so this fits.
    let length = (content.len() as u32 + 4).to_be_bytes();
    to.write_all(&[kind, &length, content].concat()).await?;
    to.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_methods_the_client_can_use_are_passed_on() {
        let offer = |methods: &[u8]| Message {
            kind: b'R',
            content: [&[0, 0, 0, 10], methods].concat(),
        };
        let both = offer(b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
        assert_eq!(both.asks(), Some(Asks::Proof));
        let plain = offer(b"SCRAM-SHA-256\0\0");
        assert_eq!(both.without_methods_bound_to_tls().content, plain.content);
        assert_eq!(
            plain.without_methods_bound_to_tls().content,
            offer(b"SCRAM-SHA-256\0\0").content
        );
    }

    #[tokio::test]
    async fn lengths_are_bounded_and_fields_found() {
        let error = b"E\0\0\0\x1fSFATAL\0C28P01\0Mwrong word\0\0";
        let read = Message::read(&mut &error[..]).await.unwrap();
        assert_eq!(read.field(b'C').as_deref(), Some("28P01"));
        assert_eq!(read.field(b'M').as_deref(), Some("wrong word"));
        assert_eq!(read.field(b'X'), None);
        for length in [3_u32, 70_000, u32::MAX] {
            let bytes = [b"R".as_slice(), &length.to_be_bytes()].concat();
            assert!(Message::read(&mut bytes.as_slice()).await.is_err());
        }
    }
}
