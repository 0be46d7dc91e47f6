//! `manifest.json` and `meta.json`: what stands beside an artifact in clear text. Neither names a
//! file of the customer. Readers ignore fields they do not know.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::frames::seal::hex;
use crate::domain::{
    entry::EntryKind,
    ids::JobId,
    snapshot::{Encryption, Locator, SnapshotKey, SnapshotState},
};

/// `format` of a manifest.
pub const MANIFEST_FORMAT: &str = "xvault-artifact";
/// `format` of a meta file.
pub const META_FORMAT: &str = "xvault-meta";
/// The version of the format, except:
pub const VERSION: u32 = 1;
/// Version of a manifest that counts files in parts. A program of version 1 would show many files where
/// there is one, and could not join them.
pub const VERSION_WITH_PARTS: u32 = 2;

/// Entries by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Further names of files.
    pub hardlinks: u64,
    /// Problems noted in the index.
    pub problems: u64,
    /// Of the files, those stored in parts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub streams: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Counts {
    /// Counts one more entry.
    pub(crate) fn count(&mut self, kind: &EntryKind) {
        *match kind {
            EntryKind::File { .. } => &mut self.files,
            EntryKind::Directory => &mut self.directories,
            EntryKind::Symlink { .. } => &mut self.symlinks,
            EntryKind::HardLink { .. } => &mut self.hardlinks,
        } += 1;
    }

    /// Entries of any kind.
    pub fn entries(&self) -> u64 {
        self.files + self.directories + self.symlinks + self.hardlinks
    }
}

/// What wrote an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `xvault`
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Sizes of the content, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Of the files' content.
    pub content: u64,
    /// Of the tar stream.
    pub tar: u64,
}

/// One encrypted file of the artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSum {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
}

/// Warnings by number; their text stands in the index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarningCounts {
    /// All of them.
    pub count: u64,
    /// By kind of problem (`changed`, `unreadable`, …).
    pub by_kind: BTreeMap<String, u64>,
}

/// `manifest.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_FORMAT`]
    pub format: String,
    /// [`VERSION`]
    pub version: u32,
    /// What wrote it.
    pub tool: Tool,
    /// Whose it is, of what, and which.
    #[serde(flatten)]
    pub key: SnapshotKey,
    /// The job that made it.
    pub job_id: JobId,
    /// When the capture began.
    pub created_at: DateTime<Utc>,
    /// `complete` or `partial`.
    pub state: SnapshotState,
    /// `ssh`, `sftp`, …
    pub source_kind: String,
    /// How the source was read: `ssh-tar`, `sftp`, …
    pub transport: String,
    /// What the transport could not carry, one sentence each.
    pub not_carried: Vec<String>,
    /// Entries by kind.
    pub counts: Counts,
    /// Sizes of the content.
    pub sizes: Sizes,
    /// The encrypted files by name.
    pub files: BTreeMap<String, FileSum>,
    /// How they are encrypted.
    pub encryption: Encryption,
    /// Warnings by number.
    pub warnings: WarningCounts,
}

/// `meta.json`: enough to enter the snapshot into a catalogue again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// [`META_FORMAT`]
    pub format: String,
    /// [`VERSION`]
    pub version: u32,
    /// Whose it is, of what, and which.
    #[serde(flatten)]
    pub key: SnapshotKey,
    /// The job that made it.
    pub job_id: JobId,
    /// When the capture began.
    pub created_at: DateTime<Utc>,
    /// `complete` or `partial`.
    pub state: SnapshotState,
    /// Where it was stored.
    pub locator: Locator,
    /// SHA-256 of `manifest.json` in lower-case hex.
    pub manifest_sha256: String,
    /// SHA-256 of this file as it is with [`NO_HASH`] in this place.
    pub self_sha256: String,
}

/// Stands in for [`Meta::self_sha256`] while the file is hashed.
pub const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl Meta {
    /// The file's text, with the hash of itself in it.
    pub(crate) fn to_text(&self) -> serde_json::Result<Vec<u8>> {
        let unsigned = Self {
            self_sha256: NO_HASH.to_owned(),
            ..self.clone()
        };
        let text = text_of(&unsigned)?;
        let signed = Self {
            self_sha256: hex(&Sha256::digest(&text)),
            ..unsigned
        };
        text_of(&signed)
    }

    /// True if `text`, from which this was read, is as it was written.
    pub(crate) fn is_sound(&self, text: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(text) else {
            return false;
        };
        let unsigned = text.replacen(&self.self_sha256, NO_HASH, 1);
        self.self_sha256.len() == NO_HASH.len() && hex(&Sha256::digest(unsigned.as_bytes())) == self.self_sha256
    }
}

/// JSON for people too, and a line break at its end.
pub(crate) fn text_of(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}
