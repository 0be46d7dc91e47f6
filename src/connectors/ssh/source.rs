//! What the modules here need to know of a source.

use crate::domain::source::{Credentials, PinnedIdentity, SshConfig};

/// A machine to read over SSH, with everything to get there.
#[derive(Debug, Clone)]
pub struct SshSource {
    /// Where and what.
    pub config: SshConfig,
    /// What opens it.
    pub credentials: Credentials,
    /// The approved identities.
    pub identity: PinnedIdentity,
    /// True if commands may be run on it. Kind `sftp` promises that none ever is.
    pub runs_commands: bool,
}
