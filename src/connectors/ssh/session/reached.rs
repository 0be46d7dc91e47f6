//! What came of dialling a hop.

use std::time::Duration;

use super::{classify, hop::Hop, host_key::Trust, master::Master};
use crate::{
    connectors::HostKey,
    domain::{error_code::ErrorCode, job::JobError},
};

/// How long the reason of a refused forwarding may be behind the refusal.
const REASON_TIMEOUT: Duration = Duration::from_millis(200);

/// A hop that was reached.
#[derive(Debug)]
pub(crate) struct Reached {
    /// The connection.
    pub(super) master: Master,
}

impl Reached {
    /// What the server calls itself.
    pub(crate) fn server(&self) -> Option<String> {
        classify::server_version(&self.master.log().text())
    }

    /// What this host said when it was asked to forward a connection and did not.
    pub(super) fn refused_forwardings(&self) -> Vec<String> {
        let text = self.master.log().text();
        text.lines()
            .filter(|line| line.contains("open failed"))
            .map(str::to_owned)
            .collect()
    }

    /// The reason why it did not forward a connection that ended with `said`: its own ssh has it,
    /// perhaps a moment later.
    pub(super) async fn refused_forwarding(&self, said: &str, before: usize) -> Option<String> {
        if !said.contains("kex_exchange_identification:") {
            return None;
        }
        let log = self.master.log();
        let reason = async {
            loop {
                let grown = log.grown();
                match self.refused_forwardings().into_iter().nth(before) {
                    Some(reason) => return reason,
                    None => grown.await,
                }
            }
        };
        tokio::time::timeout(REASON_TIMEOUT, reason).await.ok()
    }

    /// Ends the connection.
    pub(crate) async fn close(self) {
        self.master.close().await;
    }
}

/// A host key that was not accepted, and who presented it.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    /// The key the host prefers among those asked for.
    pub(crate) key: HostKey,
    /// What the server calls itself.
    pub(crate) server: Option<String>,
}

/// Why a hop was not reached.
#[derive(Debug)]
pub(crate) enum NotReached {
    /// It presented a key that `Trust` does not accept.
    HostKey(Presented),
    /// It has no host key of the families asked for.
    NoHostKey(JobError),
    /// Anything else.
    Failed(JobError),
}

impl NotReached {
    /// As the error of a job that needed this hop under `trust`.
    pub(crate) fn into_error(self, hop: &Hop, trust: &Trust) -> JobError {
        match self {
            Self::Failed(error) | Self::NoHostKey(error) => error,
            Self::HostKey(presented) => refused_host_key(hop, trust, &presented.key),
        }
    }
}

fn refused_host_key(hop: &Hop, trust: &Trust, key: &HostKey) -> JobError {
    let HostKey { algorithm, fingerprint } = key;
    match trust {
        Trust::Pinned(approved) => JobError::new(
            ErrorCode::IdentityChanged,
            format!("{hop} now presents the {algorithm} host key {fingerprint}; approved is {approved}"),
            "No credentials were sent. If the server was reinstalled, probe the source and approve the new \
             fingerprint; if not, somebody may be in between.",
        ),
        Trust::Nobody | Trust::Anyone => JobError::new(
            ErrorCode::IdentityNotTrusted,
            format!("{hop} presents the {algorithm} host key {fingerprint}, which nobody has approved"),
            "No credentials were sent. Probe the source, compare the fingerprint with the server's own \
             (ssh-keygen -lf /etc/ssh/ssh_host_*.pub) and approve it.",
        ),
    }
}
