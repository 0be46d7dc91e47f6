//! Connections from the far host to somewhere else, over the session.

use std::{fmt, path::PathBuf, sync::Arc, sync::atomic::Ordering, time::Duration};

use openssh::{ForwardType, Socket};
use tokio::net::UnixStream;

use super::{SshSession, classify::clean, link::Link};
use crate::domain::{error_code::ErrorCode, job::JobError};

/// How long the reason of a refused connection may be behind the refusal.
const REASON_TIMEOUT: Duration = Duration::from_millis(500);

/// A place as the far host names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FarEnd {
    /// Host and TCP port.
    Tcp(String, u16),
    /// A unix socket.
    Socket(PathBuf),
}

impl fmt::Display for FarEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A private socket here whose connections the far host makes; works while its session lives.
#[derive(Debug, Clone)]
pub struct Forward {
    socket: PathBuf,
    to: FarEnd,
    link: Arc<Link>,
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (through {})", self.to, self.link.place)
    }
}

impl SshSession {
    /// Makes `to` reachable from here. Nothing is connected to yet.
    ///
    /// # Errors
    /// `transfer_interrupted` if the connection is lost.
    pub async fn forward(&self, to: FarEnd) -> Result<Forward, JobError> {
        let number = self.forwards.fetch_add(1, Ordering::Relaxed);
        let socket = self.target.master.ctl().with_file_name(format!("f{number}"));
        let far_end = match &to {
            FarEnd::Tcp(host, port) => Socket::new(host.as_str(), *port),
            FarEnd::Socket(path) => Socket::from(path.as_path()),
        };
        let asked = self
            .link
            .session
            .request_port_forward(ForwardType::Local, socket.as_path(), far_end);
        asked.await.map_err(|_| self.interruption())?;
        let link = Arc::clone(&self.link);
        Ok(Forward { socket, to, link })
    }
}

impl Forward {
    /// A connection. If the far host cannot or may not make it, it is closed a moment later, without a byte:
    /// [`refusal`](Self::refusal) then knows why.
    ///
    /// # Errors
    /// `transfer_interrupted` if the SSH connection is gone.
    pub async fn connect(&self) -> Result<UnixStream, JobError> {
        UnixStream::connect(&self.socket)
            .await
            .map_err(|_| self.link.interruption())
    }

    /// How many connections the far host has refused so far, on all forwards of the session.
    pub fn refusals(&self) -> usize {
        self.refused().len()
    }

    /// Why it refused one, if it has refused more than `before`; SSH says so perhaps a moment later.
    pub async fn refusal(&self, before: usize) -> Option<JobError> {
        if self.link.is_lost().await {
            return Some(self.link.interruption());
        }
        let reason = async {
            loop {
                let grown = self.link.log.grown();
                match self.refused().into_iter().nth(before) {
                    Some(reason) => return reason,
                    None => grown.await,
                }
            }
        };
        let said = tokio::time::timeout(REASON_TIMEOUT, reason).await.ok()?;
        Some(self.explain(&said))
    }

    fn refused(&self) -> Vec<String> {
        let text = self.link.log.text();
        text.lines()
            .filter_map(|line| Some(line.split_once(": open failed: ")?.1.to_owned()))
            .collect()
    }

    fn explain(&self, said: &str) -> JobError {
        let Self { to, link, .. } = self;
        let gate = &link.place;
        if said.contains("administratively prohibited") {
            return JobError::new(
                ErrorCode::ForwardingForbidden,
                format!("{gate} forbids connections to {to} through SSH"),
                "Allow them for this login in its sshd_config (AllowTcpForwarding, AllowStreamLocalForwarding, PermitOpen).",
            );
        }
        JobError::new(
            ErrorCode::ConnectFailed,
            format!("{to} cannot be reached from {gate}: {}", clean(said, 200)),
            "Check host and port as that host sees them, and that the server runs.",
        )
    }
}
