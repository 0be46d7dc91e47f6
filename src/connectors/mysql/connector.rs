//! The connector for kind `mysql`.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{MysqlSource, access::Access, capture, probe};
use crate::{
    connectors::{
        CaptureReport, CaptureSink, Connector, ProbeReport,
        open::ConnectorContext,
        ssh::{SshSource, session::SshSession},
    },
    domain::{error_code::ErrorCode, job::JobError, source::PinnedIdentity},
};

/// A MySQL or MariaDB server.
pub struct MysqlConnector {
    source: MysqlSource,
    ctx: ConnectorContext,
}

impl MysqlConnector {
    /// Checks once more what programs will be told.
    ///
    /// # Errors
    /// `internal` if the configuration is one the hub should have refused.
    pub fn new(source: MysqlSource, ctx: ConnectorContext) -> Result<Self, JobError> {
        match source.config.validate().first() {
            None => Ok(Self { source, ctx }),
            Some(fault) => Err(JobError::new(
                ErrorCode::Internal,
                format!("the source's configuration is not acceptable: {fault:?}"),
                "Correct the source.",
            )),
        }
    }

    /// The host the server is reached over, with the identity approved for it.
    fn ssh(&self) -> Option<SshSource> {
        let (config, credentials) = self.source.config.ssh(&self.source.credentials)?;
        Some(SshSource {
            config,
            credentials,
            identity: PinnedIdentity {
                target: self.source.identity.jump.clone(),
                jump: None,
            },
            runs_commands: true,
        })
    }
}

#[async_trait]
impl Connector for MysqlConnector {
    async fn probe(&self, cancel: CancellationToken) -> Result<ProbeReport, JobError> {
        let probing = probe::probe(&self.source, self.ssh(), &self.ctx, &cancel);
        cancel
            .run_until_cancelled(probing)
            .await
            .unwrap_or_else(|| Err(JobError::new(ErrorCode::Cancelled, "the probe was cancelled", "")))
    }

    async fn capture(&self, sink: CaptureSink, cancel: CancellationToken) -> Result<CaptureReport, JobError> {
        let connecting = cancel.run_until_cancelled(async {
            let session = match self.ssh() {
                Some(ssh) => Some(SshSession::connect(&ssh, &self.ctx).await?),
                None => None,
            };
            Access::open(&self.source, &self.ctx, session, &cancel).await
        });
        let access = connecting.await.ok_or_else(capture::cancelled)??;
        let result = capture::capture(&access, &self.source.config.databases, &sink, &cancel).await;
        access.close().await;
        result
    }
}
