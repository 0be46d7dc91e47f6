//! Getting in: TCP to a checked address, TLS, the server's identity, and only then the login.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::client::Resumption;
use secrecy::ExposeSecret;
use suppaftp::types::FileType;
use zeroize::Zeroizing;

use super::{
    STALL,
    below::Below,
    connection::{Client, Connection, Talk, concluded},
    error::FtpError,
    features::Features,
    links::Links,
    names::{Bytes, as_text},
    reply::Reply,
    route::DataRoute,
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
    talk: Talk,
    is_ipv4: bool,
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

    /// The same, with TLS 1.2 only. Its sessions can be resumed any number of times. Those of 1.3 are used up, and the
    /// new ones that a server sends come too late where it only receives.
    ///
    /// # Errors
    /// `tls_failed`.
    pub fn with_lasting_sessions(&self) -> Result<Self, JobError> {
        let tls = self.tls.as_ref().map(TlsClient::only_tls_1_2).transpose()?;
        Ok(Self {
            source: Arc::clone(&self.source),
            egress: Arc::clone(&self.egress),
            tls,
            place: self.place.clone(),
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
            let below = Below::default();
            let greeted = self.greet(SocketAddr::new(address, config.port), &below).await;
            let client = match greeted {
                Ok(client) => client,
                Err(FtpError::Stalled(time)) if !below.is_connected() => {
                    last = Some(format!("no answer within {} s", time.as_secs()));
                    continue;
                }
                Err(error) if !below.is_connected() => {
                    last = Some(error.to_string());
                    continue;
                }
                Err(error) => return Err(self.before_login(error)),
            };
            let route = DataRoute {
                address,
                egress: Arc::clone(&self.egress),
                below: below.clone(),
            };
            return self.secure(Talk { client, below }, route).await;
        }
        Err(JobError::new(
            ErrorCode::ConnectFailed,
            format!("{} could not be reached: {}", self.place, last.unwrap_or_default()),
            "Check host and port, that the FTP server runs, and that its firewall lets the worker in.",
        ))
    }

    /// Connects and hears the greeting. suppaftp takes streams that are not its own only where it expects TLS from
    /// the first byte on; ours are in clear text there, as explicit TLS wants it.
    async fn greet(&self, address: SocketAddr, below: &Below) -> Result<Client, FtpError> {
        let links = Links::clear(below);
        let greeting = Client::connect_secure_implicit(address, links, &self.source.config.host);
        let mut greeting = std::pin::pin!(greeting);
        match concluded(below, CONNECT_TIMEOUT, &mut greeting).await {
            Err(FtpError::Stalled(_)) if below.is_connected() => concluded(below, STALL, greeting).await,
            greeted => greeted,
        }
    }

    /// Agrees on TLS, if that is wanted.
    async fn secure(&self, talk: Talk, route: DataRoute) -> Result<Reached, JobError> {
        let Talk { mut client, below } = talk;
        let greeting = below.last_reply().map_err(|error| self.before_login(error))?;
        client.set_encoding(Bytes).await;
        let is_ipv4 = route.address.is_ipv4();
        client = client.passive_stream_builder(move |address| Box::pin(route.clone().open(address.port())));
        if let Some(tls) = &self.tls {
            // A server takes data connections for genuine if they resume the session of their own
            // control connection: each control connection has its own memory of sessions.
            let tls = tls.with_sessions(Resumption::in_memory_sessions(SESSIONS));
            let securing = client.into_secure(Links::encrypted(tls, &below), &self.source.config.host);
            // Four answers, each of which may take its time.
            let secured = concluded(&below, 2 * STALL, securing).await;
            client = secured.map_err(|error| self.not_secured(error, &below))?;
        }
        Ok(Reached {
            talk: Talk { client, below },
            is_ipv4,
            greeting: String::from_utf8_lossy(greeting.last()).chars().take(200).collect(),
        })
    }

    fn not_secured(&self, error: FtpError, below: &Below) -> JobError {
        let FtpError::Refused(answer) = error else {
            return self.before_login(error);
        };
        match below.is_encrypted() {
            false => JobError::new(
                ErrorCode::TlsFailed,
                format!("{} does not offer TLS (it answered {answer})", self.place),
                "Switch TLS on in the FTP server. Only if that cannot be: set the source's `tls` to `none`, and \
                 everything, the password too, travels readable.",
            ),
            true => JobError::new(
                ErrorCode::TlsFailed,
                format!(
                    "{} does not encrypt data connections (it answered {answer})",
                    self.place
                ),
                "Allow PBSZ 0 and PROT P in the FTP server's settings.",
            ),
        }
    }

    /// Logs in and prepares for binary transfers.
    pub async fn login(&self, reached: Reached) -> Result<Connection, JobError> {
        let Reached { mut talk, is_ipv4, .. } = reached;
        let password = self.source.credentials.get(CredentialField::Password);
        let password = password.map_or("", |password| password.expose_secret());
        // Both are sent as UTF-8. suppaftp logs what it sends, which is why `telemetry` never writes its lines.
        let [user, password] =
            [&self.source.config.user, password].map(|text| Zeroizing::new(as_text(text.as_bytes())));
        let logged_in = concluded(&talk.below, 2 * STALL, talk.client.login(&**user, &**password)).await;
        match logged_in {
            Err(FtpError::Refused(answer)) if !answer.is_positive() => return Err(self.no_login(&answer)),
            Err(FtpError::Refused(_)) | Ok(()) => {}
            Err(error) => return Err(self.before_login(error)),
        }
        let prepared = prepare(&mut talk).await;
        let features = prepared.map_err(|error| error.into_job_error(&self.place))?;
        Ok(Connection::new(talk, is_ipv4, features))
    }

    /// What a conversation means that ended before the login.
    fn before_login(&self, error: FtpError) -> JobError {
        match error {
            FtpError::Lost(what) if what.starts_with("421") => self.busy(&what),
            FtpError::Refused(reply) if reply.is_preliminary() || reply.says(TOO_MANY) => self.busy(&reply.to_string()),
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

/// Finds out what the server can do, and sets it to binary transfers.
async fn prepare(talk: &mut Talk) -> Result<Features, FtpError> {
    let features = Features::read(&talk.ask("FEAT", b"").await?);
    if features.utf8 {
        // Asked or not, names are taken as bytes; some servers translate them unless asked.
        talk.ask("OPTS", b"UTF8 ON").await?;
    }
    concluded(&talk.below, STALL, talk.client.transfer_type(FileType::Binary)).await?;
    Ok(features)
}
