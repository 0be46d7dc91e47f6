//! The connector for kinds `ssh` and `sftp`.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{SshSource, capture, probe};
use crate::{
    connectors::{CaptureReport, CaptureSink, Connector, ProbeReport, open::ConnectorContext},
    domain::{error_code::ErrorCode, job::JobError},
};

/// A source behind OpenSSH.
pub struct SshConnector {
    source: SshSource,
    ctx: ConnectorContext,
}

impl SshConnector {
    /// Checks once more what ssh will be told: nothing that looks like an option gets through.
    ///
    /// # Errors
    /// `internal` if the configuration is one the hub should have refused.
    pub fn new(source: SshSource, ctx: ConnectorContext) -> Result<Self, JobError> {
        match source.config.validate().first() {
            None => Ok(Self { source, ctx }),
            Some(fault) => Err(JobError::new(
                ErrorCode::Internal,
                format!("the source's configuration is not acceptable: {fault:?}"),
                "Correct the source.",
            )
            .permanent()),
        }
    }
}

#[async_trait]
impl Connector for SshConnector {
    async fn probe(&self, cancel: CancellationToken) -> Result<ProbeReport, JobError> {
        // Dropping a probe ends its connections; nothing long runs on the source meanwhile.
        cancel
            .run_until_cancelled(probe::probe(&self.source, &self.ctx))
            .await
            .unwrap_or_else(|| Err(JobError::new(ErrorCode::Cancelled, "the probe was cancelled", "")))
    }

    async fn capture(&self, sink: CaptureSink, cancel: CancellationToken) -> Result<CaptureReport, JobError> {
        capture::capture(&self.source, &self.ctx, &sink, &cancel).await
    }
}
