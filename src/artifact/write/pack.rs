//! The packer: items of a capture into tar and index.

use std::io;

use age::x25519::Recipient;
use chrono::{DateTime, Utc};

use super::settle::{CaptureFacts, Order, Totals, Written};
use crate::{
    artifact::{
        Gauge,
        frames::{pipeline::Pipeline, seal::Seal},
        index::{Content, Record, write::IndexWriter},
        names::Names,
        tar::{MAX_PAX, encode, padding},
    },
    crypto::age_keys::parse_recipient,
    domain::{
        entry::{Captured, Entry, EntryKind, FileEnd, MAX_PATH, Problem, ProblemKind},
        error_code::ErrorCode,
        escaped::escape,
        ids::JobId,
        job::JobError,
        snapshot::{ArtifactFile, SnapshotKey},
    },
    storage::{Stage, StorageError},
};

/// Largest file accepted, in bytes: 64 TiB. A size beyond that is a lie or a sparse file nobody means.
const MAX_FILE: u64 = 1 << 46;

/// Most zeros written for a file that ended early: 1 TiB. Without a bound, a source that announces
/// much and sends nothing would keep a worker busy for days.
const MAX_ZEROS: u64 = 1 << 40;

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
    file: Option<OpenFile>,
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
struct OpenFile {
    record: Record,
    size: u64,
    left: u64,
    surplus: bool,
    hash: blake3::Hasher,
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
            file: None,
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
        let result = self.gauge.check().and_then(|()| match (item, self.file.take()) {
            (Captured::Entry(entry), None) => self.entry(entry),
            (Captured::Problem(problem), None) => self.problem(problem),
            (Captured::Data(data), Some(file)) => self.data(file, &data),
            (Captured::End(end), Some(file)) => self.end(file, end),
            (_, Some(file)) => Err(internal(format!(
                "the connector left the file {} open",
                file.record.entry.path
            ))),
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
        if let Some(file) = &self.file {
            let path = &file.record.entry.path;
            return Err(internal(format!("the connector ended inside the file {path}")));
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
        self.head.clear();
        encode::head(&entry, &mut self.head);
        let size = match entry.kind {
            EntryKind::File { size } => size,
            _ => 0,
        };
        let record = Record {
            offset: self.tar.position(),
            length: self.head.len() as u64 + size + padding(size),
            entry,
            blake3: None,
            content: None,
            captured: None,
        };
        self.tar
            .write_all(&self.head)
            .map_err(|error| self.order.failure(error))?;
        if matches!(record.entry.kind, EntryKind::File { .. } | EntryKind::Symlink { .. }) {
            self.names.insert(&record.entry.path);
        }
        if matches!(record.entry.kind, EntryKind::File { .. }) {
            self.file = Some(OpenFile {
                record,
                size,
                left: size,
                surplus: false,
                hash: blake3::Hasher::new(),
            });
            return Ok(());
        }
        self.stored(&record)
    }

    /// Why an entry cannot be stored: a problem to go on with, or an error that ends the job.
    fn refused(&self, entry: &Entry) -> Result<Option<Problem>, JobError> {
        let problem = |kind, message: String| Ok(Some(problem(kind, entry, message)));
        match &entry.kind {
            EntryKind::File { size } if *size > MAX_FILE => Err(JobError::new(
                ErrorCode::SourceLimit,
                format!(
                    "the source says that /{} has {size} bytes; at most 64 TiB are accepted",
                    entry.path
                ),
                "exclude it, or look at what is wrong with it on the source",
            )),
            EntryKind::Symlink { target } if target.is_empty() || target.contains(&0) || target.len() > MAX_PATH => {
                problem(
                    ProblemKind::NameRefused,
                    "its link target is empty, too long or has a NUL byte".into(),
                )
            }
            EntryKind::HardLink { target } if *target == entry.path || !self.names.contains(target) => problem(
                ProblemKind::Unreadable,
                format!(
                    "it is a hard link to /{}, which is not in this backup",
                    escape(target.as_bytes())
                ),
            ),
            _ => Ok(None),
        }
    }

    fn data(&mut self, mut file: OpenFile, data: &[u8]) -> Result<(), JobError> {
        let wanted = file.left.min(data.len() as u64) as usize;
        let (data, surplus) = data.split_at(wanted);
        file.surplus |= !surplus.is_empty();
        file.left -= data.len() as u64;
        file.hash.update(data);
        self.gauge.add_bytes(data.len() as u64);
        self.tar.write_all(data).map_err(|error| self.order.failure(error))?;
        self.file = Some(file);
        Ok(())
    }

    fn end(&mut self, mut file: OpenFile, end: FileEnd) -> Result<(), JobError> {
        let OpenFile { size, left, .. } = file;
        let path = escape(file.record.entry.path.as_bytes());
        if left > MAX_ZEROS {
            return Err(JobError::new(
                ErrorCode::SourceLimit,
                format!("/{path} was announced with {size} bytes, but only {} came", size - left),
                "exclude it, or look at what is wrong with it on the source",
            ));
        }
        self.tar
            .write_zeros(left + padding(size))
            .map_err(|error| self.order.failure(error))?;
        hash_zeros(&mut file.hash, left);

        let content = match end {
            FileEnd::Unreadable => Some(Content::Unreadable),
            _ if left > 0 => Some(Content::Padded),
            _ if file.surplus => Some(Content::Cut),
            FileEnd::Changed => Some(Content::Changed),
            FileEnd::Complete => None,
        };
        file.record.content = content;
        file.record.captured = (left > 0).then_some(size - left);
        file.record.blake3 = Some(*file.hash.finalize().as_bytes());
        self.totals.sizes.content += size;
        self.totals.captured += size - left;
        self.pending = content.map(|content| explain(content, &file));
        self.stored(&file.record)
    }

    fn stored(&mut self, record: &Record) -> Result<(), JobError> {
        let counts = &mut self.totals.counts;
        *match record.entry.kind {
            EntryKind::File { .. } => &mut counts.files,
            EntryKind::Directory => &mut counts.directories,
            EntryKind::Symlink { .. } => &mut counts.symlinks,
            EntryKind::HardLink { .. } => &mut counts.hardlinks,
        } += 1;
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
    pub(super) fn failure(&self, error: io::Error) -> JobError {
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

fn explain(content: Content, file: &OpenFile) -> Problem {
    let (size, captured) = (file.size, file.size - file.left);
    let (kind, message) = match content {
        Content::Changed => (ProblemKind::Changed, "it changed while it was read".into()),
        Content::Padded => (
            ProblemKind::Changed,
            format!("it shrank while it was read: {captured} of {size} bytes came, the rest is stored as zeros"),
        ),
        Content::Cut => (
            ProblemKind::Changed,
            format!("it grew while it was read: stored are its first {size} bytes"),
        ),
        Content::Unreadable => (
            ProblemKind::Unreadable,
            format!("reading it failed: {captured} of {size} bytes came, the rest is stored as zeros"),
        ),
    };
    problem(kind, &file.record.entry, message)
}

/// Keeps the pax records the format knows; a source must not smuggle in a `path` or `size`.
fn keep_known_pax(entry: &mut Entry) -> Option<Problem> {
    const KNOWN: [&str; 4] = ["SCHILY.xattr.", "SCHILY.acl.", "LIBARCHIVE.xattr.", "RHT.security."];
    let before = entry.pax.len();
    entry.pax.retain(|(key, _)| {
        KNOWN.iter().any(|prefix| key.starts_with(prefix)) && !key.bytes().any(|b| b == b'=' || b < b' ')
    });
    let bytes: usize = entry.pax.iter().map(|(key, value)| key.len() + value.len() + 32).sum();
    if bytes > MAX_PAX {
        entry.pax.clear();
    }
    (entry.pax.len() < before).then(|| {
        let message = "some of its extended attributes are too large or of a kind that is not stored";
        problem(ProblemKind::Note, entry, message.into())
    })
}

fn hash_zeros(hash: &mut blake3::Hasher, mut count: u64) {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    while count > 0 {
        let now = count.min(ZEROS.len() as u64);
        hash.update(&ZEROS[..now as usize]);
        count -= now;
    }
}
