//! The control connection: commands out, answers in.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use zeroize::Zeroizing;

use super::{
    STALL,
    error::FtpError,
    reply::{self, Reply},
};

/// A stream, with TLS or without.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The control connection with a server.
pub struct Control {
    stream: BufReader<Box<dyn Stream>>,
}

impl Control {
    /// Takes over a stream on which nothing was said yet.
    pub fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// The stream under it, for TLS to begin on.
    ///
    /// # Errors
    /// `Protocol` if the server has said more than it was asked: somebody between could have slipped it in.
    pub fn into_stream(self) -> Result<Box<dyn Stream>, FtpError> {
        match self.stream.buffer() {
            [] => Ok(self.stream.into_inner()),
            _ => Err(FtpError::Protocol(
                "it goes on in clear text after agreeing to TLS".into(),
            )),
        }
    }

    /// Sends commands, in one piece: the answers come in their order.
    ///
    /// # Errors
    /// `Unspeakable` if an argument has a line break, before anything is sent.
    pub async fn send(&mut self, commands: &[(&str, &[u8])]) -> Result<(), FtpError> {
        // May hold a password.
        let mut text = Zeroizing::new(Vec::with_capacity(256));
        for (verb, argument) in commands {
            if argument.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
                return Err(FtpError::Unspeakable);
            }
            text.extend_from_slice(verb.as_bytes());
            if !argument.is_empty() {
                text.push(b' ');
                text.extend_from_slice(argument);
            }
            text.extend_from_slice(b"\r\n");
        }
        self.write(&text).await
    }

    async fn write(&mut self, text: &[u8]) -> Result<(), FtpError> {
        let stream = self.stream.get_mut();
        let sending = async {
            stream.write_all(text).await?;
            stream.flush().await
        };
        match tokio::time::timeout(STALL, sending).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(FtpError::Stalled(STALL)),
        }
    }

    /// The next answer.
    pub async fn reply(&mut self) -> Result<Reply, FtpError> {
        self.reply_within(STALL).await
    }

    /// The next answer, if it comes in time.
    pub async fn reply_within(&mut self, patience: Duration) -> Result<Reply, FtpError> {
        reply::read(&mut self.stream, patience).await
    }

    /// One command and its answer.
    pub async fn ask(&mut self, verb: &str, argument: &[u8]) -> Result<Reply, FtpError> {
        self.send(&[(verb, argument)]).await?;
        self.reply().await
    }

    /// One command behind bytes that are no part of it, and its answer.
    pub async fn ask_behind(&mut self, before: &[u8], verb: &str) -> Result<Reply, FtpError> {
        self.write(&[before, verb.as_bytes(), b"\r\n"].concat()).await?;
        self.reply().await
    }
}
