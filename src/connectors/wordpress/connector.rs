//! The connector for kind `wordpress`.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{capture, probe};
use crate::{
    connectors::{CaptureReport, CaptureSink, Connector, ProbeReport, open::ConnectorContext, ssh::SshSource},
    domain::{
        error_code::ErrorCode,
        job::JobError,
        source::{Credentials, PinnedIdentity, WordpressConfig},
    },
};

/// A WordPress site, with everything to get there.
#[derive(Debug, Clone)]
pub struct WordpressSource {
    /// Where it is.
    pub config: WordpressConfig,
    /// What opens its server.
    pub credentials: Credentials,
    /// The approved identities.
    pub identity: PinnedIdentity,
}

impl WordpressSource {
    /// The server, as a source of the files below `paths`.
    pub(super) fn ssh(&self, paths: Vec<String>) -> SshSource {
        SshSource {
            config: self.config.ssh(paths),
            credentials: self.credentials.clone(),
            identity: self.identity.clone(),
            runs_commands: true,
        }
    }
}

/// A WordPress site as a source.
pub struct WordpressConnector {
    source: WordpressSource,
    ctx: ConnectorContext,
    clock: JobClock,
}

/// What time it is, from when the job began and what has passed since.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobClock {
    began: DateTime<Utc>,
    then: Instant,
}

impl JobClock {
    /// Now.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.began + TimeDelta::from_std(self.then.elapsed()).unwrap_or_default()
    }
}

impl WordpressConnector {
    /// Checks once more what ssh will be told.
    ///
    /// # Errors
    /// `internal` if the configuration is one the hub should have refused.
    pub fn new(source: WordpressSource, ctx: ConnectorContext) -> Result<Self, JobError> {
        if let Some(fault) = source.config.validate().first() {
            return Err(JobError::new(
                ErrorCode::Internal,
                format!("the source's configuration is not acceptable: {fault:?}"),
                "Correct the source.",
            )
            .permanent());
        }
        let clock = JobClock {
            began: ctx.now,
            then: Instant::now(),
        };
        Ok(Self { source, ctx, clock })
    }
}

#[async_trait]
impl Connector for WordpressConnector {
    async fn probe(&self, cancel: CancellationToken) -> Result<ProbeReport, JobError> {
        let probing = probe::probe(&self.source, &self.ctx, &cancel);
        cancel
            .run_until_cancelled(probing)
            .await
            .unwrap_or_else(|| Err(JobError::new(ErrorCode::Cancelled, "the probe was cancelled", "")))
    }

    async fn capture(&self, sink: CaptureSink, cancel: CancellationToken) -> Result<CaptureReport, JobError> {
        capture::capture(&self.source, &self.ctx, self.clock, &sink, &cancel).await
    }
}
