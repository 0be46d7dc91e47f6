//! What a probe found, as it stands in its job's result. Fields that are absent are empty: results of older
//! versions stay readable.

use serde::Deserialize;

use crate::domain::site::SiteFacts;

/// A probe's result.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Found {
    /// Fingerprint that the probe used, of whichever hop it got to.
    pub fingerprint: Option<String>,
    /// Host keys of the source, or its certificate.
    pub host_keys: Vec<FoundKey>,
    /// Why the certificate is not trusted without an approval; the end of a sentence.
    pub certificate_fault: Option<String>,
    /// Host keys of the jump host.
    pub jump_host_keys: Vec<FoundKey>,
    /// Nothing is left to approve.
    pub identity_approved: bool,
    /// The credentials were accepted.
    pub authenticated: bool,
    /// What the server calls itself.
    pub server: Option<String>,
    /// How a backup would read it.
    pub transport: Option<String>,
    /// Which tar answers on the server.
    pub remote_tar: Option<String>,
    /// The configured paths as the server sees them.
    pub paths: Vec<FoundPath>,
    /// The databases the login can see.
    pub databases: Vec<FoundDatabase>,
    /// Databases that are configured and cannot be seen.
    pub missing_databases: Vec<String>,
    /// Statements that give the login the rights it lacks.
    pub missing_grants: Vec<String>,
    /// What a backup cannot carry, one sentence each.
    pub cannot_capture: Vec<String>,
    /// The WordPress site.
    pub site: Option<SiteFacts>,
    /// Why a backup of the site would fail.
    pub site_fault: Option<SiteFault>,
    /// Directories that look like document roots of WordPress sites.
    pub document_roots: Vec<String>,
}

/// What is wrong with a site.
#[derive(Debug, Clone, Deserialize)]
pub struct SiteFault {
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// A host key.
#[derive(Debug, Clone, Deserialize)]
pub struct FoundKey {
    /// For example `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:…`
    pub fingerprint: String,
}

/// A database on the server.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FoundDatabase {
    /// Its name.
    pub name: String,
    /// Its size on the server in bytes.
    pub bytes: u64,
    /// Its tables and views, if that is known.
    pub tables: Option<u64>,
    /// A backup would dump it.
    pub chosen: bool,
}

/// A configured path.
#[derive(Debug, Clone, Deserialize)]
pub struct FoundPath {
    /// As configured.
    pub path: String,
    /// As the server resolves it.
    #[serde(default)]
    pub resolved: Option<String>,
    /// `ok`, or why not.
    pub status: String,
}

impl FoundPath {
    /// Where it leads, if that is somewhere else.
    pub fn elsewhere(&self) -> Option<&str> {
        self.resolved.as_deref().filter(|resolved| *resolved != self.path)
    }
}
