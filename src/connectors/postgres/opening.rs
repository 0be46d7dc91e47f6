//! How a connection to PostgreSQL begins: TLS, then the login.
//!
//! TLS comes first, so the client program need not know of it. Two things in the login do depend on it and are
//! put right here: methods that are bound to the TLS connection, and passwords that would travel readable.

use async_trait::async_trait;
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::UnixStream};

use super::{
    faults,
    message::{Asks, Message, Startup, TLS_REQUEST},
};
use crate::{
    connectors::{
        database::Dialect,
        relay::{Opening, Wire},
        tls::TlsClient,
    },
    domain::{error_code::ErrorCode, job::JobError},
};

/// Most messages of a login in one direction; no method has more than a handful.
const MAX_ROUNDS: usize = 32;

const POSTGRES: Dialect = Dialect {
    protocol: "PostgreSQL",
    servers: "PostgreSQL",
    tls_settings: "ssl = on, ssl_cert_file, ssl_key_file",
    without_tls: "Choose TLS for this source, or the method scram-sha-256 in the server's pg_hba.conf.",
};

/// Begins connections to one server.
pub(super) struct PostgresOpening {
    /// For messages.
    pub(super) place: String,
    /// For messages.
    pub(super) user: String,
    /// `None`: plain.
    pub(super) tls: Option<TlsClient>,
}

#[async_trait]
impl Opening for PostgresOpening {
    async fn open(&self, server: Wire, client: &mut UnixStream) -> Result<Wire, JobError> {
        let broken = |error: std::io::Error| POSTGRES.broken(&self.place, &error);
        let mut server = match &self.tls {
            None => server,
            Some(tls) => self.encrypted(server, tls).await?,
        };
        let startup = Startup::read(client).await.map_err(broken)?;
        startup.write(&mut server).await.map_err(broken)?;
        match startup.is_cancel() {
            true => Ok(server),
            false => self.follow(server, client).await,
        }
    }
}

impl PostgresOpening {
    async fn encrypted(&self, mut server: Wire, tls: &TlsClient) -> Result<Wire, JobError> {
        let broken = |error: std::io::Error| POSTGRES.broken(&self.place, &error);
        server.write_all(&TLS_REQUEST).await.map_err(broken)?;
        server.flush().await.map_err(broken)?;
        // One byte and not one more: what somebody slipped in behind it must not count as said under TLS.
        match server.read_u8().await.map_err(broken)? {
            b'S' => Ok(Box::new(tls.handshake(server).await?)),
            b'N' => Err(POSTGRES.no_tls(&self.place)),
            _ => Err(POSTGRES.not_spoken(&self.place)),
        }
    }

    /// Carries the login until it is over.
    async fn follow(&self, mut server: Wire, client: &mut UnixStream) -> Result<Wire, JobError> {
        let broken = |error: std::io::Error| POSTGRES.broken(&self.place, &error);
        for _ in 0..MAX_ROUNDS {
            let said = Message::read(&mut server).await.map_err(broken)?;
            let asks = said.asks();
            match (said.kind, &asks) {
                (b'E', _) => {
                    let text = |field| said.field(field).unwrap_or_default();
                    let fault = faults::by_state(&self.place, &self.user, &text(b'C'), &text(b'M'));
                    return Err(fault.unwrap_or_else(|| self.refused(&text(b'M'))));
                }
                (b'R', Some(Asks::Password)) if self.tls.is_none() => return Err(POSTGRES.needs_tls(&self.place)),
                // Notices, and what the server knows of the protocol.
                (b'R', Some(_)) | (b'N' | b'v', _) => {}
                _ => return Err(POSTGRES.not_spoken(&self.place)),
            }
            said.without_methods_bound_to_tls()
                .write(client)
                .await
                .map_err(broken)?;
            match asks {
                Some(Asks::Nothing) => return Ok(server),
                None | Some(Asks::More) => continue,
                Some(Asks::Password | Asks::Proof) => {}
            }
            // A client that has no answer hangs up, and says why itself.
            let Ok(answer) = Message::read(client).await else {
                return Ok(server);
            };
            answer.write(&mut server).await.map_err(broken)?;
        }
        Err(POSTGRES.not_spoken(&self.place))
    }

    fn refused(&self, message: &str) -> JobError {
        JobError::new(
            ErrorCode::ConnectFailed,
            format!("{} refused the connection: {}", self.place, faults::printable(message)),
            "Look at the server's log.",
        )
    }
}
