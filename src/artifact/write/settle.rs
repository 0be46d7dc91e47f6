//! The end of an artifact: closes the encrypted files, writes manifest and meta, commits.

use std::{collections::BTreeMap, io::Write};

use sha2::{Digest, Sha256};

use super::WriterOptions;
use crate::{
    artifact::{
        Counts,
        frames::{pipeline::Pipeline, seal::hex},
        index::write::IndexWriter,
        manifest::{
            FileSum, MANIFEST_FORMAT, META_FORMAT, Manifest, Meta, NO_HASH, Sizes, Tool, VERSION, VERSION_WITH_PARTS,
            WarningCounts, text_of,
        },
        tar::END,
    },
    domain::{
        dump::{Dump, DumpFile, MAX_LISTED},
        entry::{EntryPath, Problem},
        error_code::ErrorCode,
        ids::JobId,
        job::{JobError, Warnings},
        snapshot::{ArtifactFile, Encryption, NewSnapshot, SnapshotKey, SnapshotState},
        source::SourceKind,
    },
    storage::Stage,
};

/// How the files are encrypted, in words.
const ALGORITHM: &str = "age-v1 (X25519, ChaCha20-Poly1305)";

/// What is only known at the end of a capture.
#[derive(Debug, Clone)]
pub struct CaptureFacts {
    /// `ssh-tar` or `sftp`.
    pub transport: String,
    /// What the transport could not carry, one sentence each; names no file of the customer.
    pub not_carried: Vec<String>,
    /// Kind of the source.
    pub kind: SourceKind,
}

/// A stored artifact.
#[derive(Debug, Clone)]
pub struct Written {
    /// For the catalogue.
    pub snapshot: NewSnapshot,
    /// Entries by kind.
    pub counts: Counts,
}

/// What is being written for whom.
pub(super) struct Order {
    /// Where, for messages.
    pub(super) place: String,
    pub(super) key: SnapshotKey,
    pub(super) job_id: JobId,
    pub(super) recipients: Vec<String>,
    pub(super) options: WriterOptions,
}

/// What was packed so far.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) counts: Counts,
    pub(super) sizes: Sizes,
    /// Bytes of content that really came; `sizes.content` has the zeros too.
    pub(super) captured: u64,
    pub(super) warnings: Warnings,
    dumps: Vec<DumpFile>,
    by_kind: BTreeMap<String, u64>,
    partial: bool,
}

impl Totals {
    pub(super) fn note(&mut self, problem: Problem) {
        self.counts.problems += 1;
        self.partial |= problem.kind.makes_partial();
        *self.by_kind.entry(problem.kind.as_str().to_owned()).or_default() += 1;
        self.warnings.push(problem);
    }

    /// A stream has come whole; lists it if it is the dump of a database.
    pub(super) fn stream(&mut self, path: &EntryPath, bytes: u64) {
        let path = path.to_string();
        if self.dumps.len() < MAX_LISTED && Dump::at(&path).is_some() {
            self.dumps.push(DumpFile { path, bytes });
        }
    }

    fn nothing_captured(&self) -> Result<(), JobError> {
        let Counts {
            files,
            symlinks,
            hardlinks,
            ..
        } = self.counts;
        if files + symlinks + hardlinks > 0 {
            return Ok(());
        }
        let found = match (self.counts.directories, self.warnings.sample.first()) {
            (0, None) => "the source had nothing to store".to_owned(),
            (_, None) => "the source had directories but not one file".to_owned(),
            (_, Some(first)) => format!("nothing could be stored; first {}: {}", first.path, first.message),
        };
        Err(JobError::new(
            ErrorCode::NothingCaptured,
            found,
            "check the source's paths and excludes, whether its disk is mounted, and what the login may read",
        ))
    }
}

pub(super) fn settle(
    mut tar: Pipeline,
    index: IndexWriter,
    mut totals: Totals,
    order: Order,
    mut stage: Box<dyn Stage>,
    facts: CaptureFacts,
) -> Result<Written, JobError> {
    totals.nothing_captured()?;
    tar.write_all(&END).map_err(|error| order.failure(error))?;
    totals.sizes.tar = tar.position();
    let backup = tar.finish().map_err(|error| order.failure(error))?;
    let index = index
        .finish(totals.counts, totals.sizes)
        .map_err(|error| order.failure(error))?;

    let encryption = Encryption {
        algorithm: ALGORITHM.to_owned(),
        recipients: order.recipients.clone(),
    };
    let state = if totals.partial {
        SnapshotState::Partial
    } else {
        SnapshotState::Complete
    };
    let manifest = Manifest {
        format: MANIFEST_FORMAT.to_owned(),
        version: match totals.counts.streams {
            0 => VERSION,
            _ => VERSION_WITH_PARTS,
        },
        tool: Tool {
            name: "xvault".to_owned(),
            version: order.options.tool_version.clone(),
        },
        key: order.key.clone(),
        job_id: order.job_id.clone(),
        created_at: order.options.created_at,
        state,
        source_kind: facts.kind.as_str().to_owned(),
        transport: facts.transport,
        not_carried: facts.not_carried,
        counts: totals.counts,
        sizes: totals.sizes,
        files: BTreeMap::from([
            (ArtifactFile::Backup.name().to_owned(), backup.sum.clone()),
            (ArtifactFile::Index.name().to_owned(), index.sum.clone()),
        ]),
        encryption: encryption.clone(),
        warnings: WarningCounts {
            count: totals.warnings.count,
            by_kind: totals.by_kind,
        },
    };
    let manifest = store(stage.as_mut(), ArtifactFile::Manifest, text_of(&manifest), &order)?;
    let meta = Meta {
        format: META_FORMAT.to_owned(),
        version: VERSION,
        key: order.key.clone(),
        job_id: order.job_id.clone(),
        created_at: order.options.created_at,
        state,
        locator: stage.locator(),
        manifest_sha256: manifest.sha256.clone(),
        self_sha256: NO_HASH.to_owned(),
    };
    let meta = store(stage.as_mut(), ArtifactFile::Meta, meta.to_text(), &order)?;
    let locator = stage.commit()?;

    let snapshot = NewSnapshot {
        key: order.key,
        job_id: order.job_id,
        state,
        bytes_source: totals.captured,
        bytes_stored: backup.sum.bytes + index.sum.bytes + manifest.bytes + meta.bytes,
        files: totals.counts.entries(),
        sha256: backup.sum.sha256,
        manifest_sha256: manifest.sha256,
        locator,
        encryption,
        backup_header: backup.header,
        index_header: index.header,
        warnings: totals.warnings,
        dumps: totals.dumps,
    };
    Ok(Written {
        snapshot,
        counts: totals.counts,
    })
}

/// Writes one of the clear files.
fn store(
    stage: &mut dyn Stage,
    file: ArtifactFile,
    text: serde_json::Result<Vec<u8>>,
    order: &Order,
) -> Result<FileSum, JobError> {
    let text = text.map_err(|error| order.failure(error.into()))?;
    let mut out = stage.create(file)?;
    out.write_all(&text)
        .and_then(|()| out.flush())
        .map_err(|error| order.failure(error))?;
    Ok(FileSum {
        bytes: text.len() as u64,
        sha256: hex(&Sha256::digest(&text)),
    })
}
