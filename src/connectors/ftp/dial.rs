//! Getting in: TCP to a checked address, TLS, the server's identity, and only then the login.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::client::Resumption;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;

use super::{
    connection::{Connection, DataRoute},
    control::Control,
    error::FtpError,
    features::Features,
    reply::Reply,
    source::FtpSource,
};
use crate::{
    connectors::{
        egress::EgressPolicy,
        tls::{Presented, TlsClient},
    },
    domain::{error_code::ErrorCode, job::JobError, source::CredentialField},
};

/// How long a TCP connection may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// TLS sessions remembered for data connections: each uses one up and brings at least one.
const SESSIONS: usize = 8;

/// Words with which servers say that they have too many clients, whatever the code.
const TOO_MANY: &[&str] = &["too many", "maximum", "limit", "already connected", "try again later"];

/// Makes connections to one source.
#[derive(Debug)]
pub struct Dialer {
    source: Arc<FtpSource>,
    egress: Arc<EgressPolicy>,
    tls: Option<TlsClient>,
    place: String,
}

/// A server that has greeted us and proved who it is, before the login.
pub struct Reached {
    control: Control,
    route: DataRoute,
    /// What it calls itself.
    pub greeting: String,
}

impl Dialer {
    /// Prepares to connect.
    ///
    /// # Errors
    /// `tls_failed` if the source's `ca` cannot be used.
    pub fn new(source: Arc<FtpSource>, egress: Arc<EgressPolicy>) -> Result<Self, JobError> {
        let (config, pin) = (&source.config, source.identity.target.as_deref());
        let tls = match source.has_tls() {
            true => Some(TlsClient::new(&config.host, config.port, config.ca.as_deref(), pin)?),
            false => None,
        };
        let place = source.place();
        Ok(Self {
            source,
            egress,
            tls,
            place,
        })
    }

    /// `host:port`, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What is read.
    pub fn source(&self) -> &FtpSource {
        &self.source
    }

    /// The certificate that the server presented last.
    pub fn presented(&self) -> Option<Presented> {
        self.tls.as_ref().and_then(TlsClient::presented)
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// Each cause has its own code; those that time may cure are transient.
    pub async fn connect(&self) -> Result<Connection, JobError> {
        let reached = self.reach().await?;
        self.login(reached).await
    }

    /// Connects as far as the server proves who it is. Sends no credential.
    pub async fn reach(&self) -> Result<Reached, JobError> {
        let config = &self.source.config;
        let mut last = None;
        for address in self.egress.resolve(&config.host, config.port).await? {
            let address = SocketAddr::new(address, config.port);
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return self.greet(stream, address).await,
                Ok(Err(error)) => last = Some(error.to_string()),
                Err(_) => last = Some(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs())),
            }
        }
        Err(JobError::new(
            ErrorCode::ConnectFailed,
            format!("{} could not be reached: {}", self.place, last.unwrap_or_default()),
            "Check host and port, that the FTP server runs, and that its firewall lets the worker in.",
        ))
    }

    async fn greet(&self, stream: TcpStream, address: SocketAddr) -> Result<Reached, JobError> {
        // Commands are small and each waits for its answer.
        let _ = stream.set_nodelay(true);
        let mut control = Control::new(Box::new(stream));
        let mut greeting = control.reply().await.map_err(|error| self.before_login(error))?;
        while greeting.is_preliminary() {
            greeting = control.reply().await.map_err(|error| self.before_login(error))?;
        }
        if !greeting.is_positive() {
            return Err(self.before_login(FtpError::Refused(greeting)));
        }
        let tls = match &self.tls {
            None => None,
            Some(tls) => {
                // A server takes data connections for genuine if they resume the session of their own
                // control connection: each control connection has its own memory of sessions.
                let tls = tls.with_sessions(Resumption::in_memory_sessions(SESSIONS));
                control = self.secure(control, &tls).await?;
                Some(tls)
            }
        };
        Ok(Reached {
            control,
            route: DataRoute::new(address.ip(), Arc::clone(&self.egress), tls),
            greeting: String::from_utf8_lossy(greeting.last()).chars().take(200).collect(),
        })
    }

    async fn secure(&self, mut control: Control, tls: &TlsClient) -> Result<Control, JobError> {
        let answer = control
            .ask("AUTH", b"TLS")
            .await
            .map_err(|error| self.before_login(error))?;
        if !matches!(answer.code, 234 | 334) {
            return Err(JobError::new(
                ErrorCode::TlsFailed,
                format!("{} does not offer TLS (it answered {answer})", self.place),
                "Switch TLS on in the FTP server. Only if that cannot be: set the source's `tls` to `none`, and \
                 everything, the password too, travels readable.",
            ));
        }
        let stream = control
            .into_stream()
            .map_err(|error| error.into_job_error(&self.place))?;
        Ok(Control::new(Box::new(tls.handshake(stream).await?)))
    }

    /// Logs in and prepares for binary transfers.
    pub async fn login(&self, reached: Reached) -> Result<Connection, JobError> {
        let Reached { mut control, route, .. } = reached;
        let broke = |error: FtpError| self.before_login(error);
        let mut answer = control
            .ask("USER", self.source.config.user.as_bytes())
            .await
            .map_err(broke)?;
        if answer.code == 331 {
            let password = self.source.credentials.get(CredentialField::Password);
            let password = password.map_or("", |password| password.expose_secret());
            answer = control.ask("PASS", password.as_bytes()).await.map_err(broke)?;
        }
        if !answer.is_positive() {
            return Err(self.no_login(&answer));
        }
        let prepared = self.prepare(control, route).await;
        prepared.map_err(|error| error.into_job_error(&self.place))
    }

    async fn prepare(&self, mut control: Control, route: DataRoute) -> Result<Connection, FtpError> {
        if self.tls.is_some() {
            control.ask("PBSZ", b"0").await?.positive()?;
            let answer = control.ask("PROT", b"P").await?;
            if !answer.is_positive() {
                return Err(FtpError::Stopped(JobError::new(
                    ErrorCode::TlsFailed,
                    format!(
                        "{} does not encrypt data connections (it answered {answer})",
                        self.place
                    ),
                    "Allow PROT P in the FTP server's settings.",
                )));
            }
        }
        let features = Features::read(&control.ask("FEAT", b"").await?);
        if features.utf8 {
            // Asked or not, names are taken as bytes; some servers translate them unless asked.
            control.ask("OPTS", b"UTF8 ON").await?;
        }
        control.ask("TYPE", b"I").await?.positive()?;
        Ok(Connection::new(control, route, features))
    }

    /// What a conversation means that ended before the login.
    fn before_login(&self, error: FtpError) -> JobError {
        match error {
            FtpError::Lost(what) if what.starts_with("421") => self.busy(&what),
            FtpError::Refused(reply) if reply.says(TOO_MANY) => self.busy(&reply.to_string()),
            FtpError::Refused(reply) => JobError::new(
                ErrorCode::ConnectFailed,
                format!("{} refuses connections: {reply}", self.place),
                "Look into the FTP server's settings: it may not accept the worker's address.",
            ),
            FtpError::Lost(_) | FtpError::Stalled(_) => JobError::new(
                ErrorCode::ConnectFailed,
                format!("{} does not answer as an FTP server: {error}", self.place),
                "Check the port. Implicit TLS (port 990) is not supported: use the port for explicit TLS, mostly 21.",
            ),
            other => other.into_job_error(&self.place),
        }
    }

    fn busy(&self, what: &str) -> JobError {
        JobError::new(
            ErrorCode::SourceBusy,
            format!("{} has too many connections for now: {what}", self.place),
            "It is tried again by itself. If it stays so, lower the source's `connections`.",
        )
    }

    fn no_login(&self, answer: &Reply) -> JobError {
        if answer.says(TOO_MANY) {
            return self.busy(&answer.to_string());
        }
        JobError::new(
            ErrorCode::AuthFailed,
            format!("{} did not let {} in: {answer}", self.place, self.source.config.user),
            "Check user and password of the source.",
        )
    }
}
