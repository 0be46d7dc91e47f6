//! The brief of a job: what the hub gives the worker that holds the job's lease, and nobody else.
//!
//! It travels over HTTPS from hub to worker, lives in memory for the length of the job, and is
//! never stored or logged. This is the only type whose secrets serialise.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeSeed, ser::SerializeStruct};

use super::{
    ids::SnapshotId,
    source::{Credentials, PinnedIdentity, SourceConfig, SourceKind},
};

/// Asks for the brief of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BriefRequest {
    /// The worker that holds the job.
    pub worker_id: super::ids::WorkerId,
    /// The lease of the current attempt.
    pub lease_id: uuid::Uuid,
}

/// What a worker needs to do one job.
#[derive(Debug, Serialize, Deserialize)]
pub struct Brief {
    /// Set for jobs that connect to the source (`backup`, `probe`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceBrief>,
    /// The source that is written to; set for a `restore` to a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<SourceBrief>,
    /// age recipients to encrypt to; set for `backup`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// Keys of one snapshot's files; set for `restore` and `verify`. `None` there means that the
    /// tenant manages its own keys and xVault cannot decrypt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_keys: Option<FileKeys>,
    /// Token of the export to make; set for `restore`.
    #[serde(default, serialize_with = "exposed", skip_serializing_if = "Option::is_none")]
    pub export_token: Option<SecretString>,
}

/// How to reach and read a source.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Received")]
pub struct SourceBrief {
    /// Where and what; its kind decides the connector.
    pub config: SourceConfig,
    /// What opens it.
    pub credentials: Credentials,
    /// The approved identities.
    pub identity: PinnedIdentity,
}

/// A [`SourceBrief`] that arrived: its kind says how the configuration is to be read.
#[derive(Deserialize)]
struct Received {
    kind: SourceKind,
    config: serde_json::Value,
    credentials: Credentials,
    identity: PinnedIdentity,
}

impl TryFrom<Received> for SourceBrief {
    type Error = serde_json::Error;

    fn try_from(received: Received) -> Result<Self, serde_json::Error> {
        Ok(Self {
            config: received.kind.deserialize(received.config)?,
            credentials: received.credentials,
            identity: received.identity,
        })
    }
}

impl Serialize for SourceBrief {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut brief = s.serialize_struct("SourceBrief", 4)?;
        brief.serialize_field("kind", &self.config.kind())?;
        brief.serialize_field("config", &self.config)?;
        brief.serialize_field("credentials", &Exposed(&self.credentials))?;
        brief.serialize_field("identity", &self.identity)?;
        brief.end()
    }
}

/// Credentials on their way out of the hub.
struct Exposed<'a>(&'a Credentials);

impl Serialize for Exposed<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(field, value)| (field, value.expose_secret())))
    }
}

/// age file keys (16 bytes, base64) of one snapshot: they open these files and no others.
#[derive(Debug, Serialize, Deserialize)]
pub struct FileKeys {
    /// The snapshot they belong to.
    pub snapshot_id: SnapshotId,
    /// Of `backup.tar.zst.enc`.
    #[serde(serialize_with = "exposed_one")]
    pub backup: SecretString,
    /// Of `index.enc`.
    #[serde(serialize_with = "exposed_one")]
    pub index: SecretString,
}

fn exposed<S: Serializer>(secret: &Option<SecretString>, s: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|secret| secret.expose_secret()).serialize(s)
}

fn exposed_one<S: Serializer>(secret: &SecretString, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(secret.expose_secret())
}

/// Asks a worker for one level of a snapshot's index. Knowing the file key is the permission: the
/// worker holds no key that would open the index otherwise.
#[derive(Debug, Serialize, Deserialize)]
pub struct BrowseRequest {
    /// Which snapshot.
    pub key: super::snapshot::SnapshotKey,
    /// Key of `index.enc` (16 bytes, base64).
    #[serde(serialize_with = "exposed_one")]
    pub index_key: SecretString,
    /// Directory to list, as in [`BrowsedEntry::path`]; the root if empty.
    pub path: String,
    /// Only names after this one (from [`BrowsePage::next_cursor`]).
    #[serde(default)]
    pub cursor: Option<String>,
    /// At most this many entries.
    pub limit: usize,
}

/// One directory level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BrowsePage {
    /// Directories and files, sorted by name as bytes.
    pub items: Vec<BrowsedEntry>,
    /// Where to go on; `None` at the end.
    pub next_cursor: Option<String>,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BrowsedEntry {
    /// Last component, bytes that are not UTF-8 escaped as `\xff` and backslashes as `\\`.
    pub name: String,
    /// Whole path in the same escaped form; what a restore takes in `paths`.
    pub path: String,
    /// `file`, `directory`, `symlink` or `hardlink`.
    pub kind: String,
    /// Bytes of content.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u64,
    /// Numeric group.
    pub gid: u64,
    /// Last change.
    pub mtime: Option<chrono::DateTime<chrono::Utc>>,
    /// Target of a link, escaped like `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_target: Option<String>,
}
