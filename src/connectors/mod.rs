//! What can be read: one trait, a directory per kind of source.
//!
//! A connector knows its protocol and nothing of artifacts, storage, jobs or the database. It sends
//! what it finds into a [`CaptureSink`]; whatever reads the other end decides what becomes of it.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::domain::{
    entry::{Captured, Entry, EntryPath, FileEnd, Problem, ProblemKind},
    error_code::ErrorCode,
    job::JobError,
    site::{Site, SiteFacts},
};

pub mod database;
pub mod dump_name;
pub mod egress;
pub mod ftp;
pub mod local;
pub mod mysql;
pub mod open;
pub mod postgres;
pub mod private_dir;
pub mod program;
pub mod relay;
pub mod roots;
pub mod sftp;
pub mod ssh;
pub mod tar_stream;
pub mod target;
pub mod throwaway;
pub mod tls;
pub mod wordpress;

pub use open::{ConnectorContext, open, open_dump_target, open_target};

/// How many items may wait between connector and packer. For a tar stream in pieces of [`CHUNK`]
/// bytes this bounds the memory between the two at 2 MiB. Over SFTP a piece is one answer of the
/// server, bounded by the reader's own window.
pub const SINK_DEPTH: usize = 64;

/// Largest `Data` a tar stream is cut into, in bytes.
pub const CHUNK: usize = 32 * 1024;

/// Largest `Data` that any connector sends, in bytes: an SFTP server may answer with 255 KiB.
pub const MAX_DATA: usize = 256 * 1024;

/// A kind of source, ready to be read.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Looks at the source: who it is, what it offers, what cannot be captured.
    async fn probe(&self, cancel: CancellationToken) -> Result<ProbeReport, JobError>;

    /// Sends everything the source was asked for into `sink`. Returns once the last item is in the
    /// sink, or with the error that ended the capture. When `cancel` fires, the remote process is
    /// ended before this returns.
    async fn capture(&self, sink: CaptureSink, cancel: CancellationToken) -> Result<CaptureReport, JobError>;
}

/// What a probe found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProbeReport {
    /// Fingerprint to approve next: the target's, unless it is approved or could not be asked and
    /// the jump host's is not approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Whose `fingerprint` that is: `target` or `jump`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint_of: Option<String>,
    /// Host keys of the source, preferred first: `{algorithm, fingerprint}`. For a server of TLS the one
    /// certificate that it presented, as algorithm `certificate`.
    pub host_keys: Vec<HostKey>,
    /// Why the TLS certificate in `host_keys` is not trusted without an approval; the end of a sentence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub certificate_fault: Option<String>,
    /// Host keys of the jump host.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub jump_host_keys: Vec<HostKey>,
    /// True if the identity is approved (of the jump host too, where there is one).
    pub identity_approved: bool,
    /// True if an identity is approved and the host presents another one.
    #[serde(default)]
    pub identity_changed: bool,
    /// True if the credentials were sent and accepted. A password is only sent to an approved host.
    pub authenticated: bool,
    /// What the server calls itself, for example `OpenSSH_9.2p1 Debian-2+deb12u7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// How a backup would read it: `ssh-tar`, `sftp`, `ftps-mlsd`, `ftps-list`, `ftp-mlsd` or `ftp-list`; of databases
    /// `mysql` or `postgres`, over SSH with `-forwarded` or `-on-host` behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// Which tar answers on the server, for example `GNU tar 1.34`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_tar: Option<String>,
    /// The configured paths as the server resolves them, and whether each can be read.
    pub paths: Vec<ProbedPath>,
    /// The databases that the login can see, by name.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub databases: Vec<ProbedDatabase>,
    /// Databases that are configured and cannot be seen.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub missing_databases: Vec<String>,
    /// Statements that give the login the rights a backup needs and it lacks.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub missing_grants: Vec<String>,
    /// What a backup over this transport cannot carry, one sentence each.
    pub cannot_capture: Vec<String>,
    /// The WordPress site.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub site: Option<SiteFacts>,
    /// Why a backup of the site would fail, although the server could be signed in to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub site_fault: Option<JobError>,
    /// Directories of the server that look like document roots of WordPress sites.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub document_roots: Vec<String>,
}

/// A database as the probe saw it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProbedDatabase {
    /// Its name.
    pub name: String,
    /// Its size on the server in bytes, as far as that is known.
    pub bytes: u64,
    /// Its tables and views, where that is known without connecting to it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tables: Option<u64>,
    /// True if a backup would dump it.
    pub chosen: bool,
}

/// A host key or certificate as a server presents it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostKey {
    /// For example `ssh-ed25519`; `certificate` for the one of TLS.
    pub algorithm: String,
    /// `SHA256:…` as OpenSSH or `openssl x509 -fingerprint -sha256` prints it.
    pub fingerprint: String,
}

/// A configured path as the probe saw it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProbedPath {
    /// As configured.
    pub path: String,
    /// As the server resolves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<String>,
    /// `ok`, or why not: `not_found`, `permission_denied`, `error`.
    pub status: String,
}

/// What a capture did, beyond the items it sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaptureReport {
    /// As [`ProbeReport::transport`].
    pub transport: String,
    /// What the transport could not carry, one sentence each; stands in the manifest.
    pub not_carried: Vec<String>,
    /// The WordPress site that was captured.
    pub site: Option<Site>,
}

/// The sending end of a capture.
#[derive(Debug, Clone)]
pub struct CaptureSink {
    items: mpsc::Sender<Captured>,
}

impl CaptureSink {
    /// A sink and what comes out of it.
    pub fn channel() -> (Self, mpsc::Receiver<Captured>) {
        let (items, receiver) = mpsc::channel(SINK_DEPTH);
        (Self { items }, receiver)
    }

    /// Sends any item; fails if the packer is gone (it has the reason, so this error is only a stop sign).
    pub async fn send(&self, item: Captured) -> Result<(), JobError> {
        self.items.send(item).await.map_err(|_| {
            JobError::new(
                ErrorCode::Internal,
                "the packer stopped while data was still coming",
                "",
            )
        })
    }

    /// Announces an entry.
    pub async fn entry(&self, entry: Entry) -> Result<(), JobError> {
        self.send(Captured::Entry(entry)).await
    }

    /// Announces a file of unknown size; see [`Captured::Stream`].
    pub async fn stream(&self, path: EntryPath) -> Result<(), JobError> {
        self.send(Captured::Stream(path)).await
    }

    /// Sends a small file that xVault makes itself, whole.
    pub async fn document(&self, path: EntryPath, content: impl Into<Bytes>) -> Result<(), JobError> {
        let mut content = content.into();
        self.stream(path).await?;
        while !content.is_empty() {
            let piece = content.split_to(content.len().min(CHUNK));
            self.send(Captured::Data(piece)).await?;
        }
        self.end(FileEnd::Complete).await
    }

    /// Ends the file announced last.
    pub async fn end(&self, end: FileEnd) -> Result<(), JobError> {
        self.send(Captured::End(end)).await
    }

    /// Reports a problem with one path.
    pub async fn problem(&self, kind: ProblemKind, path: &[u8], message: impl Into<String>) -> Result<(), JobError> {
        let path = crate::domain::escaped::escape(path);
        self.send(Captured::Problem(Problem {
            kind,
            path,
            message: message.into(),
        }))
        .await
    }
}
