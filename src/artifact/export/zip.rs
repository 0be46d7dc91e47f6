//! Entries as zip. Links to files become files, as zip knows no others; symbolic links stay.

use std::io::Write;

use flate2::{Compression, Crc, write::DeflateEncoder};

use super::{
    chosen::Sink,
    output::{Output, failed},
    zip_records::{Sums, ZipEntry, end, is_large},
};
use crate::{
    artifact::{fault::Fault, index::Record, walk::Visitor},
    domain::{
        entry::{Entry, EntryKind, EntryPath},
        error_code::ErrorCode,
        job::JobError,
    },
};

/// Most entries: a zip's directory is kept in memory until the end.
const MAX_ENTRIES: u64 = 200_000;
/// Most bytes of that directory.
const MAX_DIRECTORY: usize = 64 * 1024 * 1024;
/// Deflate's level: higher ones take several times as long for a few percent.
const LEVEL: u32 = 4;

pub(super) struct ZipWriter<'a, 'o> {
    out: &'a mut Output<'o>,
    at: u64,
    entries: u64,
    directory: Vec<u8>,
    /// What the next entry is to be called.
    renamed: Option<EntryPath>,
    open: Option<OpenEntry>,
}

/// The file whose data is coming.
struct OpenEntry {
    entry: Entry,
    start: u64,
    large: bool,
    crc: Crc,
    deflate: DeflateEncoder<Vec<u8>>,
    compressed: u64,
}

impl<'a, 'o> ZipWriter<'a, 'o> {
    pub(super) fn new(out: &'a mut Output<'o>) -> Self {
        Self {
            out,
            at: 0,
            entries: 0,
            directory: Vec::new(),
            renamed: None,
            open: None,
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.at += bytes.len() as u64;
        self.out.bytes(bytes)
    }

    /// Notes an entry for the directory.
    fn list(&mut self, entry: &ZipEntry<'_>) -> Result<(), Fault> {
        entry.central(&mut self.directory);
        self.entries += 1;
        if self.directory.len() > MAX_DIRECTORY {
            return Err(Fault::Other(JobError::new(
                ErrorCode::ExportLimit,
                "the names of the chosen files are too long, taken together, for a zip made here",
                "choose tar.zst, or fewer paths",
            )));
        }
        Ok(())
    }

    /// An entry whose content is known: a directory, a link, an empty file.
    fn store(&mut self, entry: &Entry, kind_bits: u32, content: &[u8]) -> Result<(), Fault> {
        let mut crc = Crc::new();
        crc.update(content);
        let length = content.len() as u64;
        let name = name(entry);
        let stored = ZipEntry {
            sums: Sums {
                crc: crc.sum(),
                compressed: length,
                size: length,
            },
            ..described(entry, &name, kind_bits, self.at)
        };
        let mut local = Vec::new();
        stored.local(&mut local);
        self.bytes(&local)?;
        self.bytes(content)?;
        self.list(&stored)
    }

    /// Passes on what the deflater has made so far.
    fn drain(&mut self, open: &mut OpenEntry) -> Result<(), Fault> {
        let made = std::mem::take(open.deflate.get_mut());
        open.compressed += made.len() as u64;
        self.bytes(&made)
    }

    /// Writes the directory.
    pub(super) fn finish(mut self) -> Result<(), Fault> {
        let (start, length) = (self.at, self.directory.len() as u64);
        end(self.entries, length, start, &mut self.directory);
        let directory = std::mem::take(&mut self.directory);
        self.bytes(&directory)
    }
}

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;

fn name(entry: &Entry) -> Vec<u8> {
    let mut name = entry.path.as_bytes().to_vec();
    if matches!(entry.kind, EntryKind::Directory) {
        name.push(b'/');
    }
    name
}

fn described<'n>(entry: &Entry, name: &'n [u8], kind_bits: u32, start: u64) -> ZipEntry<'n> {
    ZipEntry {
        name,
        mode: kind_bits | entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        mtime: entry.mtime,
        deflated: false,
        large: false,
        start,
        sums: Sums::default(),
    }
}

impl Visitor for ZipWriter<'_, '_> {
    fn begin(&mut self, _: &Record, mut entry: Entry, _: &[u8]) -> Result<(), Fault> {
        if let Some(path) = self.renamed.take() {
            entry.path = path;
        }
        let size = match &entry.kind {
            EntryKind::File { size } if *size > 0 => *size,
            EntryKind::File { .. } => return self.store(&entry, FILE, b""),
            EntryKind::Directory => return self.store(&entry, DIRECTORY, b""),
            EntryKind::Symlink { target } => return self.store(&entry, SYMLINK, target),
            // The content of what it links to comes instead, under its name.
            EntryKind::HardLink { .. } => return Ok(()),
        };
        let start = self.at;
        let large = is_large(size);
        let name = name(&entry);
        let mut local = Vec::new();
        ZipEntry {
            deflated: true,
            large,
            ..described(&entry, &name, FILE, start)
        }
        .local(&mut local);
        self.bytes(&local)?;
        self.open = Some(OpenEntry {
            entry,
            start,
            large,
            crc: Crc::new(),
            deflate: DeflateEncoder::new(Vec::new(), Compression::new(LEVEL)),
            compressed: 0,
        });
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        // In parts, as what the deflater has made is kept until it is drained.
        for part in bytes.chunks(256 * 1024) {
            open.crc.update(part);
            open.deflate.write_all(part).map_err(failed)?;
            self.drain(&mut open)?;
        }
        self.open = Some(open);
        Ok(())
    }

    fn end(&mut self, _: &[u8]) -> Result<(), Fault> {
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        open.deflate.try_finish().map_err(failed)?;
        self.drain(&mut open)?;
        let name = name(&open.entry);
        let done = ZipEntry {
            deflated: true,
            large: open.large,
            sums: Sums {
                crc: open.crc.sum(),
                compressed: open.compressed,
                size: match open.entry.kind {
                    EntryKind::File { size } => size,
                    _ => 0,
                },
            },
            ..described(&open.entry, &name, FILE, open.start)
        };
        let mut descriptor = Vec::new();
        done.descriptor(&mut descriptor);
        self.bytes(&descriptor)?;
        self.list(&done)
    }
}

impl Sink for ZipWriter<'_, '_> {
    fn limit(&self) -> Option<u64> {
        Some(MAX_ENTRIES)
    }

    fn links(&self) -> bool {
        false
    }

    fn rename(&mut self, record: &Record) {
        self.renamed = Some(record.entry.path.clone());
    }

    fn link(&mut self, _: &Record, _: &EntryPath) -> Result<(), Fault> {
        // Never asked for: links() says no.
        Ok(())
    }
}
