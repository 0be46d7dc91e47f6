//! The surroundings of a worker's connections: loopback opened, and a temporary directory in which
//! nothing may be left.

use std::{path::PathBuf, sync::Arc};

use secrecy::SecretString;
use tempfile::TempDir;
use xvault::{
    connectors::{
        ConnectorContext,
        egress::EgressPolicy,
        ssh::{SshSource, session::SshSession},
    },
    domain::job::JobError,
};

use super::scratch::temp_dir;

/// What a worker gives its connectors.
pub struct Place {
    pub ctx: ConnectorContext,
    tmp: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let tmp = temp_dir("tmp");
        let ctx = ConnectorContext {
            egress: Arc::new(EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()])),
            tmp_dir: tmp.path().to_owned(),
            askpass: PathBuf::from(env!("CARGO_BIN_EXE_xvault")),
            now: chrono::Utc::now(),
        };
        Self { ctx, tmp }
    }

    pub async fn connect(&self, source: &SshSource) -> Result<SshSession, JobError> {
        SshSession::connect(source, &self.ctx).await
    }

    /// The error of a connection that must fail, which must leave nothing behind.
    pub async fn refused(&self, source: &SshSource) -> JobError {
        let error = match self.connect(source).await {
            Ok(_) => panic!("connected"),
            Err(error) => error,
        };
        assert!(!error.hint.is_empty(), "{error}");
        assert_eq!(self.left_behind(), 0);
        error
    }

    /// How many things lie in the temporary directory.
    pub fn left_behind(&self) -> usize {
        std::fs::read_dir(self.tmp.path()).unwrap().count()
    }
}

/// For filling in credentials.
pub fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}
