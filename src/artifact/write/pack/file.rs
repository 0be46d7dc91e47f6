//! A file of announced size: made as long as was announced, whatever comes.

use super::{ArtifactWriter, Open, problem};
use crate::{
    artifact::{
        index::{Content, Record},
        tar::padding,
    },
    domain::{
        entry::{FileEnd, Problem, ProblemKind},
        error_code::ErrorCode,
        escaped::escape,
        job::JobError,
    },
};

/// Most zeros written for a file that ended early: 1 TiB. Without a bound, a source that announces
/// much and sends nothing would keep a worker busy for days.
const MAX_ZEROS: u64 = 1 << 40;

/// The file whose data is coming.
pub(super) struct OpenFile {
    pub(super) record: Record,
    size: u64,
    left: u64,
    surplus: bool,
    hash: blake3::Hasher,
}

impl OpenFile {
    pub(super) fn new(record: Record, size: u64) -> Self {
        Self {
            record,
            size,
            left: size,
            surplus: false,
            hash: blake3::Hasher::new(),
        }
    }
}

impl ArtifactWriter {
    pub(super) fn data(&mut self, mut file: OpenFile, data: &[u8]) -> Result<(), JobError> {
        let wanted = file.left.min(data.len() as u64) as usize;
        let (data, surplus) = data.split_at(wanted);
        file.surplus |= !surplus.is_empty();
        file.left -= data.len() as u64;
        file.hash.update(data);
        self.gauge.add_bytes(data.len() as u64);
        self.tar.write_all(data).map_err(|error| self.order.failure(error))?;
        self.open = Some(Open::File(file));
        Ok(())
    }

    pub(super) fn end(&mut self, mut file: OpenFile, end: FileEnd) -> Result<(), JobError> {
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

fn hash_zeros(hash: &mut blake3::Hasher, mut count: u64) {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    while count > 0 {
        let now = count.min(ZEROS.len() as u64);
        hash.update(&ZEROS[..now as usize]);
        count -= now;
    }
}
