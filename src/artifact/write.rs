//! Writes an artifact from what a connector captures.

use chrono::{DateTime, Utc};

use super::{Counts, Gauge};
use crate::{
    domain::{
        entry::Captured,
        error_code::ErrorCode,
        ids::JobId,
        job::JobError,
        snapshot::{NewSnapshot, SnapshotKey},
        source::SourceKind,
    },
    storage::Stage,
};

/// How to write.
#[derive(Debug, Clone)]
pub struct WriterOptions {
    /// Threads that compress; at least 1.
    pub threads: usize,
    /// Stands in the manifest.
    pub created_at: DateTime<Utc>,
    /// Stands in the manifest.
    pub tool_version: String,
}

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

/// Packs, compresses, encrypts and stores one capture. Dropped before [`ArtifactWriter::finish`]
/// returns, it leaves nothing behind.
pub struct ArtifactWriter {
    stage: Box<dyn Stage>,
    gauge: Gauge,
}

impl ArtifactWriter {
    /// Starts an artifact, encrypted for `recipients` (`age1…`, at least one).
    pub fn new(
        stage: Box<dyn Stage>,
        key: SnapshotKey,
        job_id: JobId,
        recipients: &[String],
        options: WriterOptions,
    ) -> Result<Self, JobError> {
        let _ = (key, job_id, recipients, options);
        Ok(Self {
            stage,
            gauge: Gauge::new(),
        })
    }

    /// Counts bytes of content and entries as they are packed.
    pub fn gauge(&self) -> &Gauge {
        &self.gauge
    }

    /// Takes the next item of a capture.
    pub fn push(&mut self, item: Captured) -> Result<(), JobError> {
        let _ = item;
        Err(JobError::new(ErrorCode::Internal, "not built yet", ""))
    }

    /// Completes the artifact and makes it visible. Fails with [`ErrorCode::NothingCaptured`] if no
    /// entry came.
    pub fn finish(self, facts: CaptureFacts) -> Result<Written, JobError> {
        let _ = (facts, self.stage);
        Err(JobError::new(ErrorCode::Internal, "not built yet", ""))
    }
}
