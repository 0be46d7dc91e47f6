//! The streams that suppaftp talks over. They are ours, encrypted or not, so that answers pass through
//! [`Answers`], byte 255 goes out as it was meant, and nothing that was slipped in before TLS is heard.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use suppaftp::{FtpError as SuppaError, FtpResult, tokio::TokioTlsStream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;
use tokio_util::io::poll_read_buf;

use super::{answers::Answers, below::Below, error::FtpError};

/// Bytes of answers that are read at a time.
const ROOM: usize = 512;

/// A TCP connection, with TLS or without.
#[derive(Debug)]
pub enum Channel {
    /// In clear text.
    Clear(TcpStream),
    /// Encrypted.
    Encrypted(Box<TlsStream<TcpStream>>),
}

/// A control or data connection.
#[derive(Debug)]
pub struct Wire {
    channel: Channel,
    /// Control connections only.
    control: Option<Control>,
}

#[derive(Debug)]
struct Control {
    answers: Answers,
    /// The line being handed on.
    line: BytesMut,
    ended: bool,
    below: Below,
}

impl Wire {
    /// A control connection, on which nothing was said yet.
    pub fn control(channel: Channel, below: Below) -> Self {
        Self {
            channel,
            control: Some(Control {
                answers: Answers::default(),
                line: BytesMut::new(),
                ended: false,
                below,
            }),
        }
    }

    /// A data connection.
    pub fn data(channel: Channel) -> Self {
        Self { channel, control: None }
    }
}

impl Control {
    /// Hands on one line at most: what the server says beyond its answer stays here.
    fn poll_line(
        &mut self,
        channel: &mut Channel,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.line.is_empty() {
            if let Some(line) = self.answers.next(self.ended) {
                if line.is_last {
                    self.below.heard(&line.bytes);
                }
                self.line = line.bytes;
            } else if self.ended {
                return Poll::Ready(Ok(()));
            } else {
                let raw = &mut self.answers.raw;
                raw.reserve(ROOM);
                self.ended = ready!(poll_read_buf(Pin::new(&mut *channel), context, raw))? == 0;
            }
        }
        let count = self.line.len().min(buffer.remaining());
        buffer.put_slice(&self.line.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { channel, control } = self.get_mut();
        match control {
            Some(control) => control.poll_line(channel, context, buffer),
            None => Pin::new(channel).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    /// suppaftp doubles byte 255 for servers that stand on Telnet; not every server does. Here it is made one
    /// again: [`Connection`](super::connection::Connection) knows what the server wants.
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { channel, control } = self.get_mut();
        let channel = Pin::new(channel);
        match bytes.iter().position(|byte| *byte == 255) {
            Some(first) if control.is_some() => {
                let sent = ready!(channel.poll_write(context, &bytes[..=first]))?;
                let with_twin = sent > first && bytes.get(sent) == Some(&255);
                Poll::Ready(Ok(sent + usize::from(with_twin)))
            }
            _ => channel.poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().mut_ref()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().mut_ref()).poll_shutdown(context)
    }
}

impl TokioTlsStream for Wire {
    type InnerStream = Channel;

    /// For TLS to begin on.
    fn tcp_stream(self) -> FtpResult<TcpStream> {
        let slipped_in = |control: Control| (!control.answers.raw.is_empty()).then_some(control.below);
        if let Some(below) = self.control.and_then(slipped_in) {
            let what = "it goes on in clear text after agreeing to TLS";
            below.fail(FtpError::Protocol(what.into()));
            return Err(SuppaError::SecureError(what.into()));
        }
        Ok(match self.channel {
            Channel::Clear(stream) => stream,
            Channel::Encrypted(stream) => stream.into_inner().0,
        })
    }

    fn get_ref(&self) -> &TcpStream {
        match &self.channel {
            Channel::Clear(stream) => stream,
            Channel::Encrypted(stream) => stream.get_ref().0,
        }
    }

    fn mut_ref(&mut self) -> &mut Channel {
        &mut self.channel
    }
}

impl AsyncRead for Channel {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Encrypted(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Encrypted(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_flush(context),
            Self::Encrypted(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Encrypted(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
