//! Between the tar stream and the sink: leaves out what is excluded, refuses names that escape, and
//! keeps hard links honest.

use bytes::Bytes;

use super::tar_capture::StreamError;
use crate::{
    connectors::{
        CaptureSink,
        roots::Roots,
        tar_stream::{TarError, TarEvent, TarStream},
    },
    domain::{
        entry::{Captured, Entry, EntryKind, EntryPath, FileEnd, InvalidPath, ProblemKind},
        escaped::escape,
        exclude::ExcludeSet,
        job::JobError,
    },
};

/// Most bytes of names asked for a second time.
const MAX_ORPHANS: usize = 4 * 1024 * 1024;

/// The stream of one run of tar.
pub struct TarFilter<'a> {
    tar: TarStream,
    excludes: &'a ExcludeSet,
    roots: &'a Roots,
    /// The directory looked at last, and whether it is left out: entries come directory by directory.
    parent: (Vec<u8>, bool),
    dropping: bool,
    orphans: Vec<Vec<u8>>,
    orphan_bytes: usize,
}

impl<'a> TarFilter<'a> {
    /// A filter at the start of a stream.
    pub fn new(excludes: &'a ExcludeSet, roots: &'a Roots) -> Self {
        Self {
            tar: TarStream::default(),
            excludes,
            roots,
            parent: (Vec::new(), false),
            dropping: false,
            orphans: Vec::new(),
            orphan_bytes: 0,
        }
    }

    /// Takes the next chunk; call [`TarFilter::pass`] before the next.
    pub fn feed(&mut self, chunk: Bytes) {
        self.tar.feed(chunk);
    }

    /// True while a file is being passed on: no problem may be told now.
    pub fn in_file(&self) -> bool {
        self.tar.in_file() && !self.dropping
    }

    /// An error if the stream was cut short.
    pub fn check_end(&self) -> Result<(), TarError> {
        self.tar.finish()
    }

    /// Passes on everything that is there.
    pub async fn pass(&mut self, sink: &CaptureSink) -> Result<(), StreamError> {
        while let Some(event) = self.tar.next_event()? {
            match event {
                TarEvent::Entry(entry) => self.entry(sink, entry).await?,
                TarEvent::Data(data) if !self.dropping => sink.send(Captured::Data(data)).await?,
                TarEvent::FileEnd if !self.dropping => sink.end(FileEnd::Complete).await?,
                TarEvent::Data(_) => {}
                TarEvent::FileEnd => self.dropping = false,
                TarEvent::Special { path, what } => {
                    if !self.leaves_out(&path) {
                        let text = format!("{what} is not stored");
                        sink.problem(ProblemKind::SpecialSkipped, &path, text).await?;
                    }
                }
                TarEvent::Refused { path, why } => match why {
                    // We only gave absolute paths without `..`; this server means ill, or is broken.
                    InvalidPath::Escapes | InvalidPath::Nul => {
                        let path: String = escape(&path).chars().take(300).collect();
                        return Err(StreamError::Escapes(path));
                    }
                    InvalidPath::Empty | InvalidPath::TooLong => {
                        sink.problem(ProblemKind::NameRefused, &path, why.to_string()).await?;
                    }
                },
            }
        }
        Ok(())
    }

    async fn entry(&mut self, sink: &CaptureSink, entry: Entry) -> Result<(), JobError> {
        let is_directory = entry.kind == EntryKind::Directory;
        if self.drops(&entry.path, is_directory) {
            self.dropping = matches!(entry.kind, EntryKind::File { .. });
            return Ok(());
        }
        if let EntryKind::HardLink { target } = &entry.kind
            && self.drops(target, false)
        {
            return self.orphan(sink, &entry.path).await;
        }
        sink.entry(entry).await
    }

    /// Remembers a name whose content came only under a name that is left out.
    async fn orphan(&mut self, sink: &CaptureSink, path: &EntryPath) -> Result<(), JobError> {
        let absolute = [b"/", path.as_bytes()].concat();
        self.orphan_bytes += absolute.len();
        if self.orphan_bytes > MAX_ORPHANS {
            let text = "is a hard link to a file that an exclude pattern leaves out, one of too many such";
            return sink.problem(ProblemKind::Unreadable, &absolute, text).await;
        }
        self.orphans.push(absolute);
        Ok(())
    }

    /// The names to ask for again; empty after a run in which every link found its file.
    pub async fn finish(self, sink: &CaptureSink) -> Result<Vec<Vec<u8>>, JobError> {
        let asked_before = self.orphans.iter().filter(|path| self.roots.paths.contains(path));
        for path in asked_before {
            let text = "is a hard link to a file that did not come";
            sink.problem(ProblemKind::Unreadable, path, text).await?;
        }
        let new = |path: &Vec<u8>| !self.roots.paths.contains(path);
        Ok(self.orphans.iter().filter(|path| new(path)).cloned().collect())
    }

    /// True if a path as tar names it in a message is one that is left out.
    pub fn leaves_out(&mut self, path: &[u8]) -> bool {
        EntryPath::new(path).is_ok_and(|path| self.drops(&path, false))
    }

    fn drops(&mut self, path: &EntryPath, is_directory: bool) -> bool {
        let path = path.as_bytes();
        let parent = &path[..path.iter().rposition(|&b| b == b'/').unwrap_or(0)];
        if parent != self.parent.0 {
            let pruned = self.roots.pruned.iter().any(|above| {
                let above = above.strip_prefix(b"/").unwrap_or(above);
                parent
                    .strip_prefix(above)
                    .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
            });
            let excluded = pruned || self.excludes.excludes_parents(path);
            self.parent = (parent.to_vec(), excluded);
        }
        self.parent.1 || self.excludes.matches(path, is_directory)
    }
}
