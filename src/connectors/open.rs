//! From a brief to a connector.

use std::{path::PathBuf, sync::Arc};

use super::{Connector, egress::EgressPolicy, ssh::SshConnector};
use crate::domain::{brief::SourceBrief, job::JobError, source::SourceKind};

/// What a connector needs of the worker it runs in.
#[derive(Debug, Clone)]
pub struct ConnectorContext {
    /// Which addresses may be reached.
    pub egress: Arc<EgressPolicy>,
    /// Where private, short-lived directories are made.
    pub tmp_dir: PathBuf,
    /// Our own executable, absolute: ssh calls it to ask for a password or passphrase.
    pub askpass: PathBuf,
}

/// The connector for a source.
///
/// # Errors
/// `internal` if the brief holds what the hub should have refused.
pub fn open(brief: SourceBrief, ctx: ConnectorContext) -> Result<Box<dyn Connector>, JobError> {
    match brief.kind {
        SourceKind::Ssh | SourceKind::Sftp => Ok(Box::new(SshConnector::new(brief, ctx)?)),
    }
}
