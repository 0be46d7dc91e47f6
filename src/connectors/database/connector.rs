//! The connector for every kind of database server.

use std::marker::PhantomData;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::{DatabaseSource, Reach, probe};
use crate::{
    connectors::{
        CaptureReport, CaptureSink, Connector, ProbeReport, open::ConnectorContext, ssh::session::SshSession,
    },
    domain::{error_code::ErrorCode, job::JobError, source::Databases},
};

/// An open way to a server of one kind, with the programs that speak to it.
#[async_trait]
pub trait Server: Sized + Send + Sync + 'static {
    /// Prepares the way. `session` is the SSH host's, if the source is reached over one.
    ///
    /// # Errors
    /// `client_missing`, `tls_failed`, and those of a lost SSH connection. The session is closed then.
    async fn open(
        source: &DatabaseSource,
        ctx: &ConnectorContext,
        session: Option<SshSession>,
        cancel: &CancellationToken,
    ) -> Result<Self, JobError>;

    /// Tells `report` the server's version, its databases and what a backup of those in `wanted` would miss.
    ///
    /// # Errors
    /// If the server cannot be asked.
    async fn look(
        &self,
        wanted: &Databases,
        report: &mut ProbeReport,
        cancel: &CancellationToken,
    ) -> Result<(), JobError>;

    /// Checks everything that can be checked before, then dumps the databases in `wanted`.
    ///
    /// # Errors
    /// The reason why there is no backup.
    async fn capture(
        &self,
        wanted: &Databases,
        sink: &CaptureSink,
        cancel: &CancellationToken,
    ) -> Result<CaptureReport, JobError>;

    /// The way.
    fn reach(&self) -> &Reach;

    /// The way alone, to be closed.
    fn into_reach(self) -> Reach;
}

/// A database server as a source.
pub struct DatabaseConnector<S> {
    source: DatabaseSource,
    ctx: ConnectorContext,
    server: PhantomData<fn() -> S>,
}

impl<S: Server> DatabaseConnector<S> {
    /// Checks once more what programs will be told.
    ///
    /// # Errors
    /// `internal` if the configuration is one the hub should have refused.
    pub fn new(source: DatabaseSource, ctx: ConnectorContext) -> Result<Self, JobError> {
        match source.config.validate().first() {
            None => Ok(Self {
                source,
                ctx,
                server: PhantomData,
            }),
            Some(fault) => Err(JobError::new(
                ErrorCode::Internal,
                format!("the source's configuration is not acceptable: {fault:?}"),
                "Correct the source.",
            )),
        }
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// The reason why that did not work; `cancelled` if `cancel` fires first.
    pub async fn connect(&self, cancel: &CancellationToken) -> Result<S, JobError> {
        let connecting = cancel.run_until_cancelled(async {
            let session = match self.source.ssh() {
                Some(ssh) => Some(SshSession::connect(&ssh, &self.ctx).await?),
                None => None,
            };
            S::open(&self.source, &self.ctx, session, cancel).await
        });
        let cancelled = || JobError::new(ErrorCode::Cancelled, "cancelled before it was connected", "");
        connecting.await.ok_or_else(cancelled)?
    }
}

#[async_trait]
impl<S: Server> Connector for DatabaseConnector<S> {
    async fn probe(&self, cancel: CancellationToken) -> Result<ProbeReport, JobError> {
        let probing = probe::probe::<S>(&self.source, &self.ctx, &cancel);
        cancel
            .run_until_cancelled(probing)
            .await
            .unwrap_or_else(|| Err(JobError::new(ErrorCode::Cancelled, "the probe was cancelled", "")))
    }

    async fn capture(&self, sink: CaptureSink, cancel: CancellationToken) -> Result<CaptureReport, JobError> {
        let server = self.connect(&cancel).await?;
        let result = server.capture(&self.source.config.databases, &sink, &cancel).await;
        server.into_reach().close().await;
        result
    }
}
