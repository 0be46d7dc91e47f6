//! The packer: items of a capture into tar and index.

mod accept;
mod file;
mod stream;

use std::io;

use age::x25519::Recipient;
use chrono::{DateTime, Utc};

use self::{accept::keep_known_pax, file::OpenFile, stream::OpenStream};
use super::settle::{CaptureFacts, Order, Totals, Written};
use crate::{
    artifact::{
        Gauge,
        frames::{pipeline::Pipeline, seal::Seal},
        index::{Record, write::IndexWriter},
        names::Names,
        tar::{encode, padding},
    },
    crypto::age_keys::parse_recipient,
    domain::{
        entry::{Captured, Entry, EntryKind, EntryPath, Problem, ProblemKind},
        error_code::ErrorCode,
        escaped::escape,
        ids::JobId,
        job::JobError,
        snapshot::{ArtifactFile, SnapshotKey},
    },
    storage::{Stage, StorageError},
};

/// Longest message of a problem, in bytes.
const MAX_MESSAGE: usize = 4096;

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

/// Packs, compresses, encrypts and stores one capture. Dropped before [`ArtifactWriter::finish`]
/// returns, it leaves nothing behind.
pub struct ArtifactWriter {
    tar: Pipeline,
    index: IndexWriter,
    open: Option<Open>,
    /// Of the stream whose data is coming. Without capacity until the first stream.
    segment: Vec<u8>,
    /// Of the file that ended last; gives way to what the connector says of the same.
    pending: Option<Problem>,
    totals: Totals,
    names: Names,
    gauge: Gauge,
    failed: Option<JobError>,
    head: Vec<u8>,
    order: Order,
    // After the threads, which write into it.
    stage: Box<dyn Stage>,
}

/// The file whose data is coming.
enum Open {
    File(OpenFile),
    Stream(OpenStream),
}

impl Open {
    fn path(&self) -> &EntryPath {
        match self {
            Self::File(file) => &file.record.entry.path,
            Self::Stream(stream) => stream.path(),
        }
    }
}

impl ArtifactWriter {
    /// Starts an artifact, encrypted for `recipients` (`age1…`, at least one).
    pub fn new(
        mut stage: Box<dyn Stage>,
        key: SnapshotKey,
        job_id: JobId,
        recipients: &[String],
        options: WriterOptions,
    ) -> Result<Self, JobError> {
        let keys = recipients.iter().map(|text| parse_recipient(text));
        let keys: Vec<Recipient> = keys
            .collect::<Result<_, _>>()
            .map_err(|error| internal(error.to_string()))?;
        if keys.is_empty() {
            return Err(internal("a backup was ordered without a key to encrypt it for".into()));
        }
        let order = Order {
            place: stage.locator().to_string(),
            key,
            job_id,
            recipients: keys.iter().map(ToString::to_string).collect(),
            options,
        };
        let mut seal = |file| -> Result<Seal, JobError> {
            let out = stage.create(file)?;
            Seal::new(out, &keys).map_err(|error| order.failure(error))
        };
        let (backup, index) = (seal(ArtifactFile::Backup)?, seal(ArtifactFile::Index)?);
        Ok(Self {
            tar: Pipeline::start(backup, order.options.threads).map_err(|error| order.failure(error))?,
            index: IndexWriter::start(index, order.key.snapshot_id.as_str()).map_err(|error| order.failure(error))?,
            open: None,
            segment: Vec::new(),
            pending: None,
            totals: Totals::default(),
            names: Names::new(),
            gauge: Gauge::new(),
            failed: None,
            head: Vec::new(),
            order,
            stage,
        })
    }

    /// Counts bytes of content and entries as they are packed.
    pub fn gauge(&self) -> &Gauge {
        &self.gauge
    }

    /// Takes the next item of a capture. After an error every further call fails with the same.
    pub fn push(&mut self, item: Captured) -> Result<(), JobError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.gauge.check().and_then(|()| match (item, self.open.take()) {
            (Captured::Entry(entry), None) => self.entry(entry),
            (Captured::Stream(path), None) => self.stream(path),
            (Captured::Problem(problem), None) => self.problem(problem),
            (Captured::Data(data), Some(Open::File(file))) => self.data(file, &data),
            (Captured::Data(data), Some(Open::Stream(stream))) => self.stream_data(stream, &data),
            (Captured::End(end), Some(Open::File(file))) => self.end(file, end),
            (Captured::End(end), Some(Open::Stream(stream))) => self.stream_end(stream, end),
            (_, Some(open)) => Err(internal(format!("the connector left the file {} open", open.path()))),
            (_, None) => Err(internal("the connector sent data of no file".into())),
        });
        self.failed = result.as_ref().err().cloned();
        result
    }

    /// Completes the artifact and makes it visible. Fails with [`ErrorCode::NothingCaptured`] if
    /// nothing but directories and problems came.
    pub fn finish(mut self, facts: CaptureFacts) -> Result<Written, JobError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if let Some(open) = &self.open {
            return Err(internal(format!("the connector ended inside the file {}", open.path())));
        }
        self.gauge.check()?;
        self.settle_pending()?;
        super::settle::settle(self.tar, self.index, self.totals, self.order, self.stage, facts)
    }

    fn entry(&mut self, mut entry: Entry) -> Result<(), JobError> {
        self.settle_pending()?;
        if let Some(problem) = self.refused(&entry)? {
            return self.note(problem);
        }
        if let Some(problem) = keep_known_pax(&mut entry) {
            self.note(problem)?;
        }
        entry.mode &= 0o7777;
        entry.mtime.nanos = entry.mtime.nanos.min(999_999_999);
        let size = match entry.kind {
            EntryKind::File { size } => size,
            _ => 0,
        };
        let record = self.begin(entry, size)?;
        if matches!(record.entry.kind, EntryKind::File { .. } | EntryKind::Symlink { .. }) {
            self.names.insert(&record.entry.path);
        }
        if matches!(record.entry.kind, EntryKind::File { .. }) {
            self.open = Some(Open::File(OpenFile::new(record, size)));
            return Ok(());
        }
        self.stored(&record)
    }

    /// Writes the head of an entry that has `size` bytes of content.
    fn begin(&mut self, entry: Entry, size: u64) -> Result<Record, JobError> {
        self.head.clear();
        encode::head(&entry, &mut self.head);
        let record = Record {
            offset: self.tar.position(),
            length: self.head.len() as u64 + size + padding(size),
            entry,
            part: None,
            blake3: None,
            content: None,
            captured: None,
        };
        self.tar
            .write_all(&self.head)
            .map_err(|error| self.order.failure(error))?;
        Ok(record)
    }

    fn stored(&mut self, record: &Record) -> Result<(), JobError> {
        self.totals.counts.count(&record.entry.kind);
        self.gauge.add_file();
        self.index.entry(record).map_err(|error| self.order.failure(error))
    }

    fn problem(&mut self, problem: Problem) -> Result<(), JobError> {
        let plain = |problem: &Problem| problem.path.trim_start_matches('/').to_owned();
        let same = |own: &Problem| own.kind == problem.kind && plain(own) == plain(&problem);
        if self.pending.as_ref().is_some_and(same) {
            self.pending = None;
        }
        self.settle_pending()?;
        self.note(problem)
    }

    fn settle_pending(&mut self) -> Result<(), JobError> {
        match self.pending.take() {
            Some(problem) => self.note(problem),
            None => Ok(()),
        }
    }

    fn note(&mut self, mut problem: Problem) -> Result<(), JobError> {
        problem
            .message
            .truncate(problem.message.floor_char_boundary(MAX_MESSAGE));
        self.index
            .problem(&problem)
            .map_err(|error| self.order.failure(error))?;
        self.totals.note(problem);
        Ok(())
    }
}

fn internal(message: String) -> JobError {
    JobError::new(
        ErrorCode::Internal,
        message,
        "this is a fault in xVault; please report it",
    )
}

impl Order {
    /// What a failed write means.
    pub(in crate::artifact::write) fn failure(&self, error: io::Error) -> JobError {
        match error.downcast::<JobError>() {
            Ok(reason) => reason,
            Err(error) => StorageError::io(self.place.clone(), error).into(),
        }
    }
}

fn problem(kind: ProblemKind, entry: &Entry, message: String) -> Problem {
    Problem {
        kind,
        path: format!("/{}", escape(entry.path.as_bytes())),
        message,
    }
}
