//! A connection that is logged in: questions about paths, and data connections.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{io::AsyncReadExt, net::TcpStream};

use super::{
    STALL,
    control::{Control, Stream},
    dial::CONNECT_TIMEOUT,
    error::FtpError,
    features::Features,
    passive,
    reply::Reply,
};
use crate::{
    connectors::{egress::EgressPolicy, tls::TlsClient},
    domain::{error_code::ErrorCode, job::JobError},
};

/// How long a server may take to say why it hung up on a data connection.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Where data connections go, and how.
pub struct DataRoute {
    address: IpAddr,
    egress: Arc<EgressPolicy>,
    tls: Option<TlsClient>,
    /// The server does not know `EPSV`.
    only_pasv: bool,
}

impl DataRoute {
    /// To `address`, the one that the control connection goes to and no other.
    pub fn new(address: IpAddr, egress: Arc<EgressPolicy>, tls: Option<TlsClient>) -> Self {
        Self {
            address,
            egress,
            tls,
            only_pasv: false,
        }
    }

    async fn open(&self, port: u16) -> Result<TcpStream, FtpError> {
        if let Some(what) = self.egress.forbidden(self.address) {
            return Err(FtpError::Stopped(JobError::new(
                ErrorCode::AddressForbidden,
                format!(
                    "data connections lead to {}, an address workers must not reach ({what})",
                    self.address
                ),
                "Use a public address, or ask the operator to add the range to XVAULT_EGRESS_ALLOW.",
            )));
        }
        let address = SocketAddr::new(self.address, port);
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(FtpError::Lost(format!("no data connection to port {port}: {error}"))),
            Err(_) => Err(FtpError::Stalled(CONNECT_TIMEOUT)),
        }
    }
}

/// A connection that is logged in and set to binary transfers.
pub struct Connection {
    control: Control,
    route: DataRoute,
    /// What the server can do.
    pub features: Features,
    /// Whether it takes byte 255 for the beginning of a Telnet command, once that was asked.
    telnet: Option<bool>,
}

/// A transfer under way.
pub struct Transfer {
    stream: Box<dyn Stream>,
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
}

impl Connection {
    /// One that is ready.
    pub fn new(control: Control, route: DataRoute, features: Features) -> Self {
        Self {
            control,
            route,
            features,
            telnet: None,
        }
    }

    /// A path as it has to be sent. FTP stands on Telnet, where byte 255 means something and is doubled in data.
    /// Not every server knows: one that does understands a command with a refusal of Telnet's in front.
    pub async fn wire<'a>(&mut self, path: &'a [u8]) -> Result<Cow<'a, [u8]>, FtpError> {
        const DONT_ECHO: [u8; 3] = [255, 254, 1];
        if !path.contains(&255) {
            return Ok(path.into());
        }
        let telnet = match self.telnet {
            Some(known) => known,
            None => self.control.ask_behind(&DONT_ECHO, "NOOP").await?.is_positive(),
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
        self.control.ask(verb, argument).await
    }

    /// One command about a path and its answer.
    pub async fn ask_about(&mut self, verb: &str, path: &[u8]) -> Result<Reply, FtpError> {
        let path = self.wire(path).await?;
        self.control.ask(verb, &path).await
    }

    /// Asks `questions` and for a port to fetch data from, in one piece. Returns the answers and the port.
    pub async fn passive(&mut self, questions: &[(&str, &[u8])]) -> Result<(Vec<Reply>, u16), FtpError> {
        let mut commands = questions.to_vec();
        commands.push((if self.route.only_pasv { "PASV" } else { "EPSV" }, b""));
        self.control.send(&commands).await?;
        let mut answers = Vec::with_capacity(questions.len());
        for _ in questions {
            answers.push(self.control.reply().await?);
        }
        let mut answer = self.control.reply().await?;
        if !self.route.only_pasv && answer.is_unsupported() && self.route.address.is_ipv4() {
            self.route.only_pasv = true;
            answer = self.control.ask("PASV", b"").await?;
        }
        if !answer.is_positive() {
            return Err(match answer.code {
                425 | 426 => FtpError::Lost(answer.to_string()),
                _ => FtpError::Protocol(format!("it offers no passive data connections: {answer}")),
            });
        }
        Ok((answers, passive::port(&answer)?))
    }

    /// Begins a transfer from byte `offset` on, over a data connection to `port`.
    ///
    /// # Errors
    /// `Refused` if the server refuses: then nothing was transferred and the conversation goes on.
    pub async fn start(&mut self, port: u16, offset: u64, command: (&str, &[u8])) -> Result<Transfer, FtpError> {
        let stream = self.route.open(port).await?;
        if offset > 0 {
            let answer = self.control.ask("REST", offset.to_string().as_bytes()).await?;
            if answer.code != 350 {
                return Err(FtpError::Refused(answer));
            }
        }
        self.control.send(&[command]).await?;
        self.begin(stream).await
    }

    /// Waits until the server begins, and agrees on TLS meanwhile: it may do either first.
    async fn begin(&mut self, stream: TcpStream) -> Result<Transfer, FtpError> {
        let Some(tls) = self.route.tls.clone() else {
            return match self.control.reply().await? {
                reply if reply.is_preliminary() => Ok(Transfer {
                    stream: Box::new(stream),
                }),
                reply => Err(not_begun(reply)),
            };
        };
        let (mut begun, mut agreed) = (false, None);
        let failed = {
            let mut replying = std::pin::pin!(self.control.reply());
            let mut agreeing = std::pin::pin!(tls.handshake(stream));
            loop {
                tokio::select! {
                    biased;
                    reply = &mut replying, if !begun => match reply? {
                        reply if reply.is_preliminary() => begun = true,
                        reply => return Err(not_begun(reply)),
                    },
                    stream = &mut agreeing, if agreed.is_none() => match stream {
                        Ok(stream) => agreed = Some(stream),
                        Err(error) => break error,
                    },
                }
                if let Some(stream) = agreed.take_if(|_| begun) {
                    return Ok(Transfer {
                        stream: Box::new(stream),
                    });
                }
            }
        };
        Err(self.not_agreed(failed, begun).await)
    }

    /// Why TLS on the data connection failed: the server may say so itself.
    async fn not_agreed(&mut self, error: JobError, begun: bool) -> FtpError {
        if matches!(error.code, ErrorCode::IdentityChanged | ErrorCode::IdentityNotTrusted) {
            return FtpError::Stopped(error);
        }
        let mut begun = begun;
        let mut words = self.control.reply_within(LAST_WORDS).await;
        if !begun && words.as_ref().is_ok_and(Reply::is_preliminary) {
            begun = true;
            words = self.control.reply_within(LAST_WORDS).await;
        }
        match words {
            Ok(reply) if reply.code == 522 => FtpError::Stopped(JobError::new(
                ErrorCode::TlsFailed,
                format!("the server refuses the TLS of a data connection: {reply}"),
                "It wants data connections to resume the TLS session of the control connection, and did not \
                 accept that they did. A server that restarts its TLS for each connection can cause this.",
            )),
            // It refuses the file, and hung up on the data connection for that reason.
            Ok(reply) if !begun && !reply.is_preliminary() => not_begun(reply),
            Ok(reply) => FtpError::Lost(format!("no TLS on the data connection: {reply}")),
            Err(_) => FtpError::Lost(format!("no TLS on the data connection: {}", error.message)),
        }
    }

    /// What the server says after the data: only a positive answer makes a transfer complete.
    pub async fn finish(&mut self, transfer: Transfer) -> Result<Reply, FtpError> {
        drop(transfer);
        self.control.reply().await
    }

    /// Says good-bye; whether the server hears it does not matter.
    pub async fn close(mut self) {
        let _ = self.control.send(&[("QUIT", b"")]).await;
        let _ = self.control.reply_within(LAST_WORDS).await;
    }
}

/// A transfer that the server would not begin. 425 and 426 are about the data connection, not about the file.
fn not_begun(reply: Reply) -> FtpError {
    match reply.code {
        425 | 426 => FtpError::Lost(reply.to_string()),
        _ => FtpError::Refused(reply),
    }
}
