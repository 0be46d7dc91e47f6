//! What the modules here need to know of a source.

use chrono::{DateTime, Utc};

use crate::domain::source::{Credentials, FtpConfig, FtpTls, PinnedIdentity};

/// An FTP account to read, with everything to get there.
#[derive(Debug, Clone)]
pub struct FtpSource {
    /// Where and what.
    pub config: FtpConfig,
    /// What opens it.
    pub credentials: Credentials,
    /// The approved certificate.
    pub identity: PinnedIdentity,
    /// When the job began: listings name the year only of what is older.
    pub now: DateTime<Utc>,
}

impl FtpSource {
    /// `host:port`, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.config.host, self.config.port)
    }

    /// True if everything is encrypted.
    pub fn has_tls(&self) -> bool {
        self.config.tls == FtpTls::Required
    }
}
