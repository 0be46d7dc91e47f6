//! One login on one host: the target, or the jump host before it.

use std::fmt;

use secrecy::SecretString;

use crate::{
    connectors::{
        local::SecretFile,
        open::ConnectorContext,
        ssh::{
            SshSource,
            key::{self, PreparedKey},
        },
    },
    domain::{
        error_code::ErrorCode,
        job::JobError,
        source::CredentialField::{JumpPassphrase, JumpPassword, JumpPrivateKey, Passphrase, Password, PrivateKey},
    },
};

/// A way to prove who we are.
#[derive(Debug)]
pub(crate) enum Login {
    /// With a private key.
    Key(PreparedKey),
    /// With a password.
    Password(SecretFile),
}

/// One login on one host.
#[derive(Debug)]
pub(crate) struct Hop {
    /// As the user named it.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// Login name.
    pub(crate) user: String,
    /// True for the host that the connection goes through.
    pub(crate) is_jump: bool,
    /// What to log in with, in this order.
    pub(crate) logins: Vec<Login>,
}

impl fmt::Display for Hop {
    /// `web1:22`, `[2001:db8::1]:22` or `jump host gate:22`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = if self.is_jump { "jump host " } else { "" };
        if self.host.contains(':') {
            write!(f, "{role}[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{role}{}:{}", self.host, self.port)
        }
    }
}

impl Hop {
    /// The jump host of a source, if it has one.
    pub(crate) async fn jump(source: &SshSource, ctx: &ConnectorContext) -> Result<Option<Self>, JobError> {
        let Some(jump) = &source.config.jump else {
            return Ok(None);
        };
        let mut hop = Self {
            host: jump.host.clone(),
            port: jump.port,
            user: jump.user.clone(),
            is_jump: true,
            logins: Vec::new(),
        };
        let fields = [JumpPrivateKey, JumpPassphrase, JumpPassword];
        hop.prepare(fields.map(|field| source.credentials.get(field)), ctx)
            .await?;
        Ok(Some(hop))
    }

    /// The source itself.
    pub(crate) async fn target(source: &SshSource, ctx: &ConnectorContext) -> Result<Self, JobError> {
        let mut hop = Self {
            host: source.config.host.clone(),
            port: source.config.port,
            user: source.config.user.clone(),
            is_jump: false,
            logins: Vec::new(),
        };
        let fields = [PrivateKey, Passphrase, Password];
        hop.prepare(fields.map(|field| source.credentials.get(field)), ctx)
            .await?;
        Ok(hop)
    }

    /// A key goes first: it proves without revealing.
    async fn prepare(
        &mut self,
        [key, passphrase, password]: [Option<&SecretString>; 3],
        ctx: &ConnectorContext,
    ) -> Result<(), JobError> {
        let whose = format!("{}@{self}", self.user);
        if let Some(key) = key {
            self.logins
                .push(Login::Key(key::prepare(&whose, key, passphrase, ctx).await?));
        }
        if let Some(password) = password {
            let file = SecretFile::new(password).map_err(|error| {
                JobError::new(
                    ErrorCode::Internal,
                    format!("no memory for the password of {whose}: {error}"),
                    "",
                )
            })?;
            self.logins.push(Login::Password(file));
        }
        if self.logins.is_empty() {
            return Err(JobError::new(
                ErrorCode::AuthFailed,
                format!("there is neither a private key nor a password for {whose}"),
                "Set the credentials of the source.",
            ));
        }
        Ok(())
    }

    /// True if a private key is among the credentials.
    pub(crate) fn has_key(&self) -> bool {
        self.logins.iter().any(|login| matches!(login, Login::Key(_)))
    }
}
