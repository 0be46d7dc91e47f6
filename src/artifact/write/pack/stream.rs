//! A file whose size nobody knows before its end. A tar wants the size first, so its bytes wait in one
//! segment: what ends within that is a plain file, what does not becomes numbered parts.

use super::{ArtifactWriter, Open, internal};
use crate::{
    artifact::{
        index::Stream,
        parts::{MAX_PARTS, MAX_STREAMS, SEGMENT, part_path},
        tar::padding,
    },
    domain::{
        entry::{Entry, EntryKind, EntryPath, FileEnd, Mtime},
        error_code::ErrorCode,
        escaped::escape,
        job::JobError,
    },
};

/// The stream whose data is coming.
pub(super) struct OpenStream {
    entry: Entry,
    /// Parts written so far.
    parts: u32,
    size: u64,
    hash: blake3::Hasher,
}

impl OpenStream {
    pub(super) fn path(&self) -> &EntryPath {
        &self.entry.path
    }

    /// As a file of `size` bytes called `path`.
    fn file(&self, path: EntryPath, size: u64) -> Entry {
        Entry {
            path,
            kind: EntryKind::File { size },
            ..self.entry.clone()
        }
    }
}

impl ArtifactWriter {
    pub(super) fn stream(&mut self, path: EntryPath) -> Result<(), JobError> {
        self.settle_pending()?;
        if self.totals.counts.streams == MAX_STREAMS {
            return Err(too_much(format!("the source has more than {MAX_STREAMS} large dumps")));
        }
        self.segment.clear();
        self.segment.reserve_exact(SEGMENT);
        let began = self.order.options.created_at;
        let entry = Entry {
            path,
            kind: EntryKind::File { size: 0 },
            mode: 0o600,
            uid: 0,
            gid: 0,
            mtime: Mtime {
                seconds: began.timestamp(),
                nanos: 0,
            },
            pax: Vec::new(),
        };
        self.open = Some(Open::Stream(OpenStream {
            entry,
            parts: 0,
            size: 0,
            hash: blake3::Hasher::new(),
        }));
        Ok(())
    }

    pub(super) fn stream_data(&mut self, mut stream: OpenStream, mut data: &[u8]) -> Result<(), JobError> {
        stream.size += data.len() as u64;
        stream.hash.update(data);
        self.gauge.add_bytes(data.len() as u64);
        while !data.is_empty() {
            if self.segment.len() == SEGMENT {
                self.part(&mut stream)?;
            }
            let (now, later) = data.split_at(data.len().min(SEGMENT - self.segment.len()));
            self.segment.extend_from_slice(now);
            data = later;
        }
        self.open = Some(Open::Stream(stream));
        Ok(())
    }

    pub(super) fn stream_end(&mut self, mut stream: OpenStream, end: FileEnd) -> Result<(), JobError> {
        if end != FileEnd::Complete {
            return Err(JobError::new(
                ErrorCode::DumpFailed,
                format!(
                    "/{} broke off after {} bytes",
                    escape(stream.path().as_bytes()),
                    stream.size
                ),
                "Nothing incomplete was kept. It is tried again by itself.",
            ));
        }
        let (size, blake3) = (stream.size, *stream.hash.finalize().as_bytes());
        self.totals.sizes.content += size;
        self.totals.captured += size;
        self.totals.stream(stream.path(), size);
        if stream.parts == 0 {
            self.names.insert(stream.path());
            return self.segment(stream.file(stream.path().clone(), size), None, blake3);
        }
        // Never empty: a part is only written once more has come.
        self.part(&mut stream)?;
        let entry = stream.file(stream.path().clone(), size);
        self.totals.counts.count(&entry.kind);
        self.totals.counts.streams += 1;
        self.gauge.add_file();
        let parts = stream.parts;
        let whole = Stream { entry, parts, blake3 };
        self.index.stream(&whole).map_err(|error| self.order.failure(error))
    }

    /// Writes what has come as the stream's next part.
    fn part(&mut self, stream: &mut OpenStream) -> Result<(), JobError> {
        if stream.parts == MAX_PARTS {
            let path = escape(stream.path().as_bytes());
            return Err(too_much(format!("/{path} has more than {} bytes", stream.size)));
        }
        stream.parts += 1;
        let path = part_path(stream.path(), stream.parts).map_err(|error| internal(error.to_string()))?;
        let entry = stream.file(path, self.segment.len() as u64);
        self.segment(entry, Some(stream.parts), *blake3::hash(&self.segment).as_bytes())
    }

    /// Writes what has come as one file of the tar.
    fn segment(&mut self, entry: Entry, part: Option<u32>, blake3: [u8; 32]) -> Result<(), JobError> {
        let size = self.segment.len() as u64;
        let mut record = self.begin(entry, size)?;
        (record.part, record.blake3) = (part, Some(blake3));
        let written = self.tar.write_all(&self.segment);
        let padded = written.and_then(|()| self.tar.write_zeros(padding(size)));
        padded.map_err(|error| self.order.failure(error))?;
        self.segment.clear();
        match part {
            None => self.stored(&record),
            Some(_) => self.index.entry(&record).map_err(|error| self.order.failure(error)),
        }
    }
}

fn too_much(message: String) -> JobError {
    JobError::new(
        ErrorCode::SourceLimit,
        message,
        "back up fewer databases with one source",
    )
}
