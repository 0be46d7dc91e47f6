//! What channels share: the multiplexed connection and the knowledge whether it still stands.

use std::{sync::Arc, time::Duration};

use openssh::Session;
use tokio::sync::watch;

use super::classify;
use crate::{
    connectors::local::Said,
    domain::{error_code::ErrorCode, job::JobError},
};

/// A process that has lost its connection ends at once; this is for the scheduler.
const SETTLE: Duration = Duration::from_millis(500);

/// A logged-in connection, as its channels see it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) session: Arc<Session>,
    /// `web1:22`, for errors.
    pub(super) place: String,
    pub(super) ended: watch::Receiver<bool>,
    pub(super) log: Said,
}

impl Link {
    /// True if the connection is over. A stream may end a moment before ssh itself does, so this
    /// waits briefly for that.
    pub(super) async fn is_lost(&self) -> bool {
        let mut ended = self.ended.clone();
        // A closed watch means that the supervisor is gone, and ssh with it.
        tokio::time::timeout(SETTLE, ended.wait_for(|ended| *ended))
            .await
            .is_ok()
    }

    /// Why the connection is over.
    pub(super) fn interruption(&self) -> JobError {
        classify::interrupted(&self.place, &self.log.text())
    }

    /// A channel could not be opened.
    pub(super) fn channel_failed(&self, error: &openssh::Error) -> JobError {
        if *self.ended.borrow() || !matches!(error, openssh::Error::SshMux(_)) {
            return self.interruption();
        }
        JobError::new(
            ErrorCode::ProtocolError,
            format!("{} refused to open a channel", self.place),
            "The server may limit the sessions of one connection (MaxSessions); it must allow at least two.",
        )
    }
}
