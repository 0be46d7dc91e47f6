//! How a connection to MySQL or MariaDB begins: greeting, TLS, login.
//!
//! TLS is agreed on in the middle of the exchange and shifts its numbering by one. The client program, which
//! sees no TLS, is told that the server offers none, and the numbers are put right until the login is over.

use async_trait::async_trait;
use tokio::net::UnixStream;

use super::packet::Packet;
use crate::{
    connectors::{
        database::Dialect,
        relay::{Opening, Wire},
        tls::TlsClient,
    },
    domain::job::JobError,
};

/// Most packets of a login in one direction; no method has more than a handful.
const MAX_ROUNDS: usize = 16;

/// First bytes of packets.
const OK: u8 = 0x00;
const MORE: u8 = 0x01;
const SWITCH: u8 = 0xfe;
const ERROR: u8 = 0xff;

/// `MORE`: the password's proof was good, the end follows by itself.
const FAST: &[u8] = &[MORE, 3];
/// `MORE`: send the password itself.
const FULL: &[u8] = &[MORE, 4];

/// Methods of login that send the password as it is.
const CLEAR: &[&[u8]] = &[b"mysql_clear_password\0", b"dialog\0"];

const MYSQL: Dialect = Dialect {
    protocol: "MySQL",
    servers: "MySQL or MariaDB",
    tls_settings: "ssl_cert, ssl_key",
    without_tls: "Choose TLS for this source. The login's method (caching_sha2_password, PAM) needs it.",
};

/// Begins connections to one server.
pub(super) struct MysqlOpening {
    /// For messages.
    pub(super) place: String,
    /// `None`: plain.
    pub(super) tls: Option<TlsClient>,
}

#[async_trait]
impl Opening for MysqlOpening {
    async fn open(&self, mut server: Wire, client: &mut UnixStream) -> Result<Wire, JobError> {
        let broken = |error: std::io::Error| MYSQL.broken(&self.place, &error);
        let mut greeting = Packet::read(&mut server).await.map_err(broken)?;
        if greeting.kind() == Some(ERROR) {
            // The client says what it says.
            greeting.write(client).await.map_err(broken)?;
            return Ok(server);
        }
        let offered = greeting.take_tls_offer().ok_or_else(|| MYSQL.not_spoken(&self.place))?;
        if self.tls.is_some() && !offered {
            return Err(MYSQL.no_tls(&self.place));
        }
        greeting.write(client).await.map_err(broken)?;
        let mut login = Packet::read(client).await.map_err(broken)?;
        let Some(tls) = &self.tls else {
            login.write(&mut server).await.map_err(broken)?;
            return self.follow(server, client, 0).await;
        };
        let request = login.make_tls_request().ok_or_else(|| MYSQL.not_spoken(&self.place))?;
        request.write(&mut server).await.map_err(broken)?;
        let mut server: Wire = Box::new(tls.handshake(server).await?);
        let number = login.number.wrapping_add(1);
        login.numbered(number).write(&mut server).await.map_err(broken)?;
        self.follow(server, client, 1).await
    }
}

impl MysqlOpening {
    /// Carries the rest of the login, whose numbers differ by `shift`.
    async fn follow(&self, mut server: Wire, client: &mut UnixStream, shift: u8) -> Result<Wire, JobError> {
        let broken = |error: std::io::Error| MYSQL.broken(&self.place, &error);
        for _ in 0..MAX_ROUNDS {
            let said = Packet::read(&mut server).await.map_err(broken)?;
            let (kind, clear) = (said.kind(), wants_password(&said.content));
            if self.tls.is_none() && clear {
                return Err(MYSQL.needs_tls(&self.place));
            }
            let last = matches!(kind, Some(OK | ERROR));
            let answered = matches!(kind, Some(SWITCH | MORE)) && said.content != FAST;
            let number = said.number.wrapping_sub(shift);
            said.numbered(number).write(client).await.map_err(broken)?;
            if last {
                return Ok(server);
            }
            if answered {
                let answer = Packet::read(client).await.map_err(broken)?;
                let number = answer.number.wrapping_add(shift);
                answer.numbered(number).write(&mut server).await.map_err(broken)?;
            }
        }
        Err(MYSQL.not_spoken(&self.place))
    }
}

/// True if a packet of the server makes the client send the password as it is.
fn wants_password(content: &[u8]) -> bool {
    content == FULL
        || content
            .strip_prefix(&[SWITCH])
            .is_some_and(|method| CLEAR.iter().any(|clear| method.starts_with(clear)))
}
