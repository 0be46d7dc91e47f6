//! A connection that is logged in: questions about paths, and data connections. suppaftp talks and transfers.

use std::{borrow::Cow, time::Duration};

use suppaftp::{
    FtpResult, Mode, Status,
    tokio::{ImplAsyncFtpStream, TransferStream},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{STALL, below::Below, error::FtpError, features::Features, names::as_text, reply::Reply, wire::Wire};
use crate::domain::{error_code::ErrorCode, job::JobError};

/// suppaftp's client over streams of ours.
pub type Client = ImplAsyncFtpStream<Wire>;

/// How long a server may take to say why it hung up on a data connection.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Answers with which data begin to come.
const BEGUN: &[Status] = &[Status::AboutToSend, Status::AlreadyOpen];

/// A connection that is logged in and set to binary transfers.
pub struct Connection {
    talk: Talk,
    is_ipv4: bool,
    /// The server does not know `EPSV`.
    only_pasv: bool,
    /// What the server can do.
    pub features: Features,
    /// Whether it takes byte 255 for the beginning of a Telnet command, once that was asked.
    telnet: Option<bool>,
}

/// A conversation with a server.
pub struct Talk {
    /// suppaftp's part of it.
    pub client: Client,
    /// What suppaftp does not tell.
    pub below: Below,
}

/// A transfer under way.
pub struct Transfer {
    stream: TransferStream<Wire>,
}

impl Transfer {
    /// Appends more of the content to `buffer`, at most to its capacity; 0 at its end. An end without a farewell
    /// of TLS is an end: the server's last answer and the size tell whether it was the right one.
    ///
    /// # Errors
    /// `Stalled`, or `Lost` if the connection broke.
    pub async fn read(&mut self, buffer: &mut bytes::BytesMut) -> Result<usize, FtpError> {
        match tokio::time::timeout(STALL, self.stream.read_buf(buffer)).await {
            Ok(Ok(count)) => Ok(count),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(0),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(FtpError::Stalled(STALL)),
        }
    }

    /// Sends content.
    ///
    /// # Errors
    /// `Stalled`, or `Lost` if the connection broke.
    pub async fn write(&mut self, data: &[u8]) -> Result<(), FtpError> {
        match tokio::time::timeout(STALL, self.stream.write_all(data)).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(FtpError::Stalled(STALL)),
        }
    }
}

/// What suppaftp made of something, if it did so in time.
///
/// # Errors
/// `Refused` for an answer that suppaftp did not expect.
pub async fn concluded<T>(
    below: &Below,
    patience: Duration,
    talking: impl Future<Output = FtpResult<T>>,
) -> Result<T, FtpError> {
    match tokio::time::timeout(patience, talking).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(FtpError::of(error, below)),
        Err(_) => Err(FtpError::Stalled(patience)),
    }
}

impl Talk {
    /// One command and its answer.
    ///
    /// # Errors
    /// `Unspeakable` if the argument has a line break, before anything is sent.
    pub async fn ask(&mut self, verb: &str, argument: &[u8]) -> Result<Reply, FtpError> {
        let command = line(verb, argument)?;
        // Nothing is expected, so that every answer comes back as it is.
        let asking = self.client.custom_command(command, &[]);
        match concluded(&self.below, STALL, asking).await {
            Ok(response) => Reply::read(&response.body),
            Err(FtpError::Refused(reply)) => Ok(reply),
            Err(error) => Err(error),
        }
    }

    /// The next answer, if it comes in time.
    async fn hear(&mut self, patience: Duration) -> Result<Reply, FtpError> {
        match concluded(&self.below, patience, self.client.read_response_in(&[])).await {
            Ok(response) => Reply::read(&response.body),
            Err(FtpError::Refused(reply)) => Ok(reply),
            Err(error) => Err(error),
        }
    }
}

impl Connection {
    /// One that is ready.
    pub fn new(mut talk: Talk, is_ipv4: bool, features: Features) -> Self {
        talk.client.set_mode(Mode::ExtendedPassive);
        Self {
            talk,
            is_ipv4,
            only_pasv: false,
            features,
            telnet: None,
        }
    }

    /// A path as it has to be sent. FTP stands on Telnet, where byte 255 means something and is doubled in data.
    /// Not every server knows: one that does understands a command with a refusal of Telnet's in front.
    async fn wire<'a>(&mut self, path: &'a [u8]) -> Result<Cow<'a, [u8]>, FtpError> {
        const DONT_ECHO: &str = "\u{ff}\u{fe}\u{1}";
        if !path.contains(&255) {
            return Ok(path.into());
        }
        let telnet = match self.telnet {
            Some(known) => known,
            None => self.talk.ask(&format!("{DONT_ECHO}NOOP"), b"").await?.is_positive(),
        };
        self.telnet = Some(telnet);
        Ok(match telnet {
            false => path.into(),
            true => path
                .iter()
                .flat_map(|byte| std::iter::repeat_n(*byte, 1 + usize::from(*byte == 255)))
                .collect(),
        })
    }

    /// One command and its answer.
    pub async fn ask(&mut self, verb: &str, argument: &[u8]) -> Result<Reply, FtpError> {
        self.talk.ask(verb, argument).await
    }

    /// One command about a path and its answer.
    pub async fn ask_about(&mut self, verb: &str, path: &[u8]) -> Result<Reply, FtpError> {
        let path = self.wire(path).await?;
        self.talk.ask(verb, &path).await
    }

    /// Begins a transfer about a path, from byte `offset` on.
    ///
    /// # Errors
    /// `Refused` if the server refuses: then nothing was transferred and the conversation goes on.
    pub async fn start_about(&mut self, verb: &str, path: &[u8], offset: u64) -> Result<Transfer, FtpError> {
        let path = self.wire(path).await?;
        self.start(verb, &path, offset).await
    }

    /// Begins a transfer.
    ///
    /// # Errors
    /// As [`Connection::start_about`].
    pub async fn start(&mut self, verb: &str, argument: &[u8], offset: u64) -> Result<Transfer, FtpError> {
        let command = line(verb, argument)?;
        let Talk { client, below } = &mut self.talk;
        let begun = loop {
            below.take_data_port();
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let starting = async {
                client.resume_transfer(offset).await?;
                match verb {
                    // The end of what is sent is another than of what is received.
                    "STOR" => client.put_with_stream(as_text(argument)).await,
                    _ => client
                        .custom_data_command(&command, BEGUN)
                        .await
                        .map(|(_, stream)| stream),
                }
            };
            // As many answers, each of which may take its time.
            let begun = concluded(below, 2 * STALL, starting).await;
            match begun {
                Err(FtpError::Refused(reply)) if !below.take_data_port() => {
                    if self.only_pasv || !reply.is_unsupported() || !self.is_ipv4 {
                        break Err(match reply.code {
                            425 | 426 => FtpError::Lost(reply.to_string()),
                            _ => FtpError::Protocol(format!("it offers no passive data connections: {reply}")),
                        });
                    }
                    self.only_pasv = true;
                    client.set_mode(Mode::Passive);
                }
                begun => break begun,
            }
        };
        match begun {
            Ok(stream) => Ok(Transfer { stream }),
            // About the data connection, not about the file.
            Err(FtpError::Refused(reply)) if matches!(reply.code, 425 | 426) => Err(FtpError::Lost(reply.to_string())),
            Err(FtpError::Stopped(error)) => Err(self.not_agreed(error).await),
            Err(error) => Err(error),
        }
    }

    /// Why TLS on a data connection failed, of which the server says something too.
    async fn not_agreed(&mut self, error: JobError) -> FtpError {
        if !matches!(error.code, ErrorCode::TlsFailed | ErrorCode::ConnectFailed) {
            return FtpError::Stopped(error);
        }
        match self.talk.hear(LAST_WORDS).await {
            Ok(reply) if reply.code == 522 => FtpError::Stopped(JobError::new(
                ErrorCode::TlsFailed,
                format!("the server refuses the TLS of a data connection: {reply}"),
                "It wants data connections to resume the TLS session of the control connection, and did not \
                 accept that they did. A server that restarts its TLS for each connection can cause this.",
            )),
            Ok(reply) => FtpError::Lost(format!("no TLS on the data connection: {reply}")),
            Err(_) => FtpError::Lost(format!("no TLS on the data connection: {}", error.message)),
        }
    }

    /// What the server says after the data: only a positive answer makes a transfer complete.
    pub async fn finish(&mut self, transfer: Transfer) -> Result<Reply, FtpError> {
        match concluded(&self.talk.below, STALL, transfer.stream.finish()).await {
            Ok(()) => self.talk.below.last_reply(),
            Err(FtpError::Refused(reply)) => Ok(reply),
            Err(error) => Err(error),
        }
    }

    /// Says good-bye; whether the server hears it does not matter.
    pub async fn close(mut self) {
        let _ = tokio::time::timeout(LAST_WORDS, self.talk.client.quit()).await;
    }
}

/// Refuses what cannot be an argument: commands are lines.
///
/// # Errors
/// `Unspeakable`.
pub fn speakable(argument: &[u8]) -> Result<(), FtpError> {
    match argument.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        true => Err(FtpError::Unspeakable),
        false => Ok(()),
    }
}

/// A command as suppaftp takes it.
fn line(verb: &str, argument: &[u8]) -> Result<String, FtpError> {
    speakable(argument)?;
    Ok(match argument {
        [] => verb.to_owned(),
        argument => format!("{verb} {}", as_text(argument)),
    })
}
