//! From a brief to a connector.

use std::{path::PathBuf, sync::Arc};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::{
    Connector,
    database::{DatabaseSource, DumpTarget},
    egress::EgressPolicy,
    ftp::{FtpConnector, FtpSource, FtpTarget},
    mysql::MysqlConnector,
    postgres::PostgresConnector,
    ssh::{self, SshConnector, SshSource},
    target::FileTarget,
    wordpress::{WordpressConnector, WordpressSource},
};
use crate::domain::{brief::SourceBrief, error_code::ErrorCode, job::JobError, source::SourceConfig};

/// What a connector needs of the worker it runs in.
#[derive(Debug, Clone)]
pub struct ConnectorContext {
    /// Which addresses may be reached.
    pub egress: Arc<EgressPolicy>,
    /// Where private, short-lived directories are made.
    pub tmp_dir: PathBuf,
    /// Our own executable, absolute: ssh calls it to ask for a password or passphrase.
    pub askpass: PathBuf,
    /// When the job began.
    pub now: DateTime<Utc>,
}

/// Connects to a source for writing files to it.
///
/// # Errors
/// As a capture of it; `internal` if it is of a kind that holds no files, or `cancelled`.
pub async fn open_target(
    brief: SourceBrief,
    ctx: &ConnectorContext,
    cancel: &CancellationToken,
) -> Result<Arc<dyn FileTarget>, JobError> {
    let SourceBrief {
        config,
        credentials,
        identity,
    } = brief;
    let runs_commands = matches!(config, SourceConfig::Ssh(_));
    match config {
        SourceConfig::Ssh(config) | SourceConfig::Sftp(config) => {
            let source = SshSource {
                config,
                credentials,
                identity,
                runs_commands,
            };
            Ok(Arc::new(ssh::target(&source, ctx, cancel).await?))
        }
        SourceConfig::Ftp(config) => {
            let source = FtpSource {
                config,
                credentials,
                identity,
                now: ctx.now,
            };
            let opening = FtpTarget::open(source, Arc::clone(&ctx.egress));
            match cancel.run_until_cancelled(opening).await {
                Some(target) => Ok(Arc::new(target?)),
                None => Err(JobError::new(ErrorCode::Cancelled, "the restore was cancelled", "")),
            }
        }
        other => Err(JobError::new(
            ErrorCode::Internal,
            format!("files cannot be written to a source of kind {}", other.kind().as_str()),
            "Choose another source to restore to.",
        )
        .permanent()),
    }
}

/// Connects to a database server for loading dumps.
///
/// # Errors
/// As a capture of it; `internal` if it is no database server.
pub async fn open_dump_target(
    brief: SourceBrief,
    ctx: ConnectorContext,
    cancel: &CancellationToken,
) -> Result<Box<dyn DumpTarget>, JobError> {
    let SourceBrief {
        config,
        credentials,
        identity,
    } = brief;
    match config {
        SourceConfig::Mysql(config) => {
            let source = DatabaseSource {
                config,
                credentials,
                identity,
            };
            Ok(Box::new(MysqlConnector::new(source, ctx)?.connect(cancel).await?))
        }
        SourceConfig::Postgres(config) => {
            let source = DatabaseSource {
                config,
                credentials,
                identity,
            };
            Ok(Box::new(PostgresConnector::new(source, ctx)?.connect(cancel).await?))
        }
        other => Err(JobError::new(
            ErrorCode::Internal,
            format!("dumps cannot be loaded into a source of kind {}", other.kind().as_str()),
            "Choose another source to restore to.",
        )
        .permanent()),
    }
}

/// The connector for a source.
///
/// # Errors
/// `internal` if the brief holds what the hub should have refused.
pub fn open(brief: SourceBrief, ctx: ConnectorContext) -> Result<Box<dyn Connector>, JobError> {
    let SourceBrief {
        config,
        credentials,
        identity,
    } = brief;
    let runs_commands = matches!(config, SourceConfig::Ssh(_));
    match config {
        SourceConfig::Ssh(config) | SourceConfig::Sftp(config) => {
            let source = SshSource {
                config,
                credentials,
                identity,
                runs_commands,
            };
            Ok(Box::new(SshConnector::new(source, ctx)?))
        }
        SourceConfig::Ftp(config) => {
            let source = FtpSource {
                config,
                credentials,
                identity,
                now: ctx.now,
            };
            Ok(Box::new(FtpConnector::new(source, ctx.egress)?))
        }
        SourceConfig::Mysql(config) => {
            let source = DatabaseSource {
                config,
                credentials,
                identity,
            };
            Ok(Box::new(MysqlConnector::new(source, ctx)?))
        }
        SourceConfig::Postgres(config) => {
            let source = DatabaseSource {
                config,
                credentials,
                identity,
            };
            Ok(Box::new(PostgresConnector::new(source, ctx)?))
        }
        SourceConfig::Wordpress(config) => {
            let source = WordpressSource {
                config,
                credentials,
                identity,
            };
            Ok(Box::new(WordpressConnector::new(source, ctx)?))
        }
    }
}
