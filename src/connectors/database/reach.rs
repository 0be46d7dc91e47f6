//! The way to a server: directly or over SSH, for programs on the worker or on the SSH host.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::DatabaseSource;
use crate::{
    connectors::{
        open::ConnectorContext,
        program::At,
        relay::{Opening, Relay, Route},
        ssh::session::SshSession,
        tls::{Presented, TlsClient},
    },
    domain::{job::JobError, source::DatabaseTls},
};

/// Who connects to the server.
pub enum Way {
    /// This worker, for its own programs.
    Relay {
        /// What those programs connect to.
        relay: Relay,
        /// `None`: the connection is plain, or protected by SSH alone.
        tls: Option<TlsClient>,
    },
    /// The programs of the SSH host, by themselves.
    OnHost,
    /// Programs of this worker, to a server on it.
    OnWorker {
        /// What they connect to.
        socket: PathBuf,
    },
}

/// An open way to a server.
pub struct Reach {
    place: String,
    session: Option<SshSession>,
    way: Way,
}

impl Way {
    /// A relay to the source's server, with a socket of this name. `opening` is given the server's name for
    /// messages, and TLS if it is wanted.
    ///
    /// # Errors
    /// `tls_failed` if no certificate could be right, `internal` if there can be no socket, and those of a lost
    /// SSH connection.
    pub async fn relay<O: Opening>(
        source: &DatabaseSource,
        ctx: &ConnectorContext,
        session: Option<&SshSession>,
        socket: &str,
        opening: impl FnOnce(String, Option<TlsClient>) -> O,
    ) -> Result<Self, JobError> {
        let config = &source.config;
        let tls = match config.tls() {
            DatabaseTls::None => None,
            DatabaseTls::Verify | DatabaseTls::Required => {
                let pin = source.identity.target.as_deref();
                Some(TlsClient::new(&config.host, config.port, config.ca.as_deref(), pin)?)
            }
        };
        let route = match session {
            Some(session) => Route::Forwarded(session.forward(source.server()).await?),
            None => Route::Direct {
                host: config.host.clone(),
                port: config.port,
                egress: Arc::clone(&ctx.egress),
            },
        };
        let opening = opening(route.to_string(), tls.clone());
        let relay = Relay::start(ctx, socket, route, Arc::new(opening))?;
        Ok(Self::Relay { relay, tls })
    }

    /// True if programs of the SSH host may make the connection: only the worker can check a certificate
    /// against an approved one, so only plain connections are left to others.
    ///
    /// # Errors
    /// Those of a lost SSH connection.
    pub async fn may_be_on_host(source: &DatabaseSource, session: &SshSession) -> Result<bool, JobError> {
        Ok(source.config.tls() == DatabaseTls::None && session.has_shell().await?)
    }
}

impl Reach {
    /// Puts together what was prepared; closes the session if that failed.
    ///
    /// # Errors
    /// The reason why it failed.
    pub async fn settle<T>(
        source: &DatabaseSource,
        session: Option<SshSession>,
        prepared: Result<(Way, T), JobError>,
    ) -> Result<(Self, T), JobError> {
        match prepared {
            Ok((way, rest)) => {
                let place = place_of(source, session.as_ref());
                Ok((Self { place, session, way }, rest))
            }
            Err(error) => {
                if let Some(session) = session {
                    session.close().await;
                }
                Err(error)
            }
        }
    }

    /// A server on this worker.
    pub fn on_worker(socket: PathBuf) -> Self {
        Self {
            place: "the worker".to_owned(),
            session: None,
            way: Way::OnWorker { socket },
        }
    }

    /// True for a server of ours, which nobody else uses.
    pub fn is_own(&self) -> bool {
        matches!(self.way, Way::OnWorker { .. })
    }

    /// The server, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// How a backup reads it, as jobs and manifests name it: the kind, and where its programs run.
    pub fn transport(&self, kind: &str) -> String {
        match (&self.way, &self.session) {
            (Way::OnHost, _) => format!("{kind}-on-host"),
            (Way::Relay { .. } | Way::OnWorker { .. }, Some(_)) => format!("{kind}-forwarded"),
            (Way::Relay { .. } | Way::OnWorker { .. }, None) => kind.to_owned(),
        }
    }

    /// Where programs run.
    pub fn at(&self) -> At<'_> {
        match (&self.way, &self.session) {
            (Way::OnHost, Some(session)) => At::Source(session),
            _ => At::Worker,
        }
    }

    /// The socket that programs on the worker connect to; on the SSH host they connect by themselves.
    pub fn socket(&self) -> Option<&Path> {
        match &self.way {
            Way::Relay { relay, .. } => Some(relay.socket()),
            Way::OnWorker { socket } => Some(socket),
            Way::OnHost => None,
        }
    }

    /// The certificate the server presented, if it came to that.
    pub fn presented(&self) -> Option<Presented> {
        match &self.way {
            Way::Relay { tls, .. } => tls.as_ref()?.presented(),
            Way::OnHost | Way::OnWorker { .. } => None,
        }
    }

    /// What broke a connection, if the worker made it: see [`Relay::take_failure`].
    pub fn take_failure(&self) -> Option<JobError> {
        match &self.way {
            Way::Relay { relay, .. } => relay.take_failure(),
            Way::OnHost | Way::OnWorker { .. } => None,
        }
    }

    /// The SSH host's session, for another way over it.
    pub fn into_session(self) -> Option<SshSession> {
        self.session
    }

    /// Ends every connection; returns when they are gone.
    pub async fn close(self) {
        drop(self.way);
        if let Some(session) = self.session {
            session.close().await;
        }
    }
}

fn place_of(source: &DatabaseSource, session: Option<&SshSession>) -> String {
    let server = source.server();
    match session {
        Some(session) => format!("{server} (through {})", session.place()),
        None => server.to_string(),
    }
}
