//! The connector for kind `ftp`.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{FtpSource, capture, dial::Dialer, probe};
use crate::{
    connectors::{CaptureReport, CaptureSink, Connector, ProbeReport, egress::EgressPolicy},
    domain::{error_code::ErrorCode, job::JobError},
};

/// A source behind an FTP server.
pub struct FtpConnector {
    dialer: Arc<Dialer>,
}

impl FtpConnector {
    /// Checks once more what the server will be told: nothing with a line break gets through.
    ///
    /// # Errors
    /// `internal` if the configuration is one the hub should have refused, `tls_failed` if its `ca` cannot be
    /// used.
    pub fn new(source: FtpSource, egress: Arc<EgressPolicy>) -> Result<Self, JobError> {
        if let Some(fault) = source.config.validate().first() {
            return Err(JobError::new(
                ErrorCode::Internal,
                format!("the source's configuration is not acceptable: {fault:?}"),
                "Correct the source.",
            ));
        }
        let dialer = Arc::new(Dialer::new(Arc::new(source), egress)?);
        Ok(Self { dialer })
    }
}

#[async_trait]
impl Connector for FtpConnector {
    async fn probe(&self, cancel: CancellationToken) -> Result<ProbeReport, JobError> {
        // Dropping it ends its connection.
        let probing = cancel.run_until_cancelled(probe::probe(&self.dialer));
        probing
            .await
            .unwrap_or_else(|| Err(JobError::new(ErrorCode::Cancelled, "the probe was cancelled", "")))
    }

    async fn capture(&self, sink: CaptureSink, cancel: CancellationToken) -> Result<CaptureReport, JobError> {
        // Dropping it ends its connections, and with them what the server does for us.
        let capturing = cancel.run_until_cancelled(capture::capture(Arc::clone(&self.dialer), &sink));
        capturing
            .await
            .unwrap_or_else(|| Err(JobError::new(ErrorCode::Cancelled, "the backup was cancelled", "")))
    }
}
