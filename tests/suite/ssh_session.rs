//! Connecting to real servers: who is let in, who is not, and that nothing is left behind.

use std::{path::PathBuf, sync::Arc};

use secrecy::SecretString;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use xvault::{
    connectors::{
        ConnectorContext,
        egress::EgressPolicy,
        ssh::session::{RemoteExit, SshSession, sweep_stale_sessions},
    },
    domain::{brief::SourceBrief, error_code::ErrorCode, job::JobError, source::SourceKind},
};

use crate::support::{
    eventually::{SOON, eventually},
    scratch::temp_dir,
    ssh_keys,
    sshd::{Login, Setup, Sshd, descendants, free_port},
};

/// A worker's surroundings: loopback opened, a temporary directory that must be empty at the end.
struct Place {
    ctx: ConnectorContext,
    tmp: TempDir,
}

impl Place {
    fn new() -> Self {
        let tmp = temp_dir("tmp");
        let ctx = ConnectorContext {
            egress: Arc::new(EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()])),
            tmp_dir: tmp.path().to_owned(),
            askpass: PathBuf::from(env!("CARGO_BIN_EXE_xvault")),
        };
        Self { ctx, tmp }
    }

    async fn connect(&self, brief: &SourceBrief) -> Result<SshSession, JobError> {
        SshSession::connect(brief, &self.ctx).await
    }

    /// The error of a connection that must fail, which must leave nothing behind.
    async fn refused(&self, brief: &SourceBrief) -> JobError {
        let error = match self.connect(brief).await {
            Ok(_) => panic!("connected"),
            Err(error) => error,
        };
        assert!(!error.hint.is_empty(), "{error}");
        assert_eq!(self.left_behind(), 0);
        error
    }

    fn left_behind(&self) -> usize {
        std::fs::read_dir(self.tmp.path()).unwrap().count()
    }
}

fn secret(text: &str) -> Option<SecretString> {
    Some(SecretString::from(text))
}

async fn whoami(session: &SshSession) -> String {
    let finished = session.run("id -un").await.unwrap();
    assert!(finished.exit.success());
    String::from_utf8(finished.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_key_opens_a_server_and_nothing_is_left() {
    let (server, place) = (Sshd::start(), Place::new());
    let session = place.connect(&server.brief(SourceKind::Ssh, &["/"])).await.unwrap();
    assert!(session.has_shell().await.unwrap());
    assert_eq!(whoami(&session).await, server.user);
    session.close().await;
    assert_eq!(place.left_behind(), 0);
}
