//! How a server is reached.

use std::{fmt, io, net::IpAddr, sync::Arc, time::Duration};

use rustix::net::sockopt;
use tokio::net::TcpStream;

use super::Wire;
use crate::{
    connectors::{egress::EgressPolicy, ssh::session::Forward},
    domain::{error_code::ErrorCode, job::JobError},
};

/// For one address to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// A silent connection is asked for a sign of life after this long, then every [`KEEPALIVE_EVERY`]; a server may
/// work on one query for hours.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// Questions without an answer until the connection is given up.
const KEEPALIVE_PROBES: u32 = 6;

/// The way to a server.
#[derive(Debug, Clone)]
pub enum Route {
    /// Over TCP by ourselves, to an address that may be reached.
    Direct {
        /// As the user named it.
        host: String,
        /// TCP port.
        port: u16,
        /// Which addresses may be reached.
        egress: Arc<EgressPolicy>,
    },
    /// From the host of an SSH session. What that host can reach is its owner's affair: the egress policy was
    /// applied to the host itself.
    Forwarded(Forward),
}

impl fmt::Display for Route {
    /// `db1:3306`, `[2001:db8::1]:3306` or `127.0.0.1:3306 (through web1:22)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Direct { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Forwarded(forward) => forward.fmt(f),
        }
    }
}

impl Route {
    /// Makes a connection. Over SSH it may turn out later that the far side refused it: see [`Self::refusal`].
    ///
    /// # Errors
    /// `dns_failed`, `address_forbidden`, `connect_failed`; `transfer_interrupted` if the SSH connection is gone.
    pub async fn connect(&self) -> Result<Wire, JobError> {
        match self {
            Self::Direct { host, port, egress } => {
                let mut failed = None;
                for address in egress.resolve(host, *port).await? {
                    match dial(address, *port).await {
                        Ok(stream) => return Ok(Box::new(stream)),
                        Err(error) => failed = Some(error),
                    }
                }
                // `resolve` gives at least one address.
                let reason = failed.unwrap_or_else(|| io::Error::other("it has no address"));
                Err(JobError::new(
                    ErrorCode::ConnectFailed,
                    format!("{self} could not be reached: {reason}"),
                    "Check host and port, that the server runs and listens on that address, and that its firewall lets \
                     this worker in.",
                ))
            }
            Self::Forwarded(forward) => Ok(Box::new(forward.connect().await?)),
        }
    }

    /// How many connections the far side of an SSH session has refused so far.
    pub fn refusals(&self) -> usize {
        match self {
            Self::Direct { .. } => 0,
            Self::Forwarded(forward) => forward.refusals(),
        }
    }

    /// Why the far side of an SSH session refused a connection, if it has refused more than `before`.
    pub async fn refusal(&self, before: usize) -> Option<JobError> {
        match self {
            Self::Direct { .. } => None,
            Self::Forwarded(forward) => forward.refusal(before).await,
        }
    }
}

async fn dial(address: IpAddr, port: u16) -> io::Result<TcpStream> {
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((address, port)));
    let stream = connecting.await.map_err(|_| {
        let text = format!("{address} did not answer within {} s", CONNECT_TIMEOUT.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, text)
    })??;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(&stream, true)?;
    sockopt::set_tcp_keepidle(&stream, KEEPALIVE_AFTER)?;
    sockopt::set_tcp_keepintvl(&stream, KEEPALIVE_EVERY)?;
    sockopt::set_tcp_keepcnt(&stream, KEEPALIVE_PROBES)?;
    Ok(stream)
}
