//! One directory level out of the index: one pass, memory bounded by the page.

use std::collections::BTreeMap;

use chrono::DateTime;

use super::{
    fault::Fault,
    index::{Item, read::IndexReader},
};
use crate::{
    crypto::age_keys::FileKey,
    domain::{
        brief::{BrowsePage, BrowsedEntry},
        entry::{Entry, EntryKind, EntryPath},
        error_code::ErrorCode,
        escaped::{escape, unescape},
        job::JobError,
    },
    storage::ReadSeek,
};

/// Largest page.
const MAX_LIMIT: usize = 1000;

/// Lists the directory `path` (escaped, the root if empty): at most `limit` names after `cursor`.
/// Directories that were not captured themselves, only something below them, are listed too.
///
/// A key that does not open the index is [`ErrorCode::KeyUnavailable`]; a path that is no directory,
/// or a cursor that is none, is [`ErrorCode::PathNotFound`].
pub fn browse(
    index: Box<dyn ReadSeek>,
    key: &FileKey,
    path: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<BrowsePage, JobError> {
    let cursor = match cursor {
        Some(text) => Some(unescape(text).ok_or_else(|| not_found(text))?),
        None => None,
    };
    let mut level = Level {
        dir: parse_dir(path)?,
        after: cursor,
        limit: limit.clamp(1, MAX_LIMIT),
        found: false,
        names: BTreeMap::new(),
    };
    scan(index, key, &mut level).map_err(|fault| fault.into_job_error("the file list"))?;
    if level.found {
        Ok(level.page())
    } else {
        Err(not_found(path))
    }
}

fn scan(index: Box<dyn ReadSeek>, key: &FileKey, level: &mut Level) -> Result<(), Fault> {
    let mut index = IndexReader::open(index, key)?;
    while let Some(item) = index.next()? {
        match item {
            // The file they make together comes after them.
            Item::Entry(record) if record.part.is_some() => {}
            Item::Entry(record) => level.see(&record.entry),
            Item::Stream(stream) => level.see(&stream.entry),
            Item::Problem(_) | Item::Trailer(..) => {}
        }
    }
    Ok(())
}

/// The directory's bytes with a closing slash; empty for the root.
fn parse_dir(path: &str) -> Result<Vec<u8>, JobError> {
    if path.trim_matches('/').is_empty() {
        return Ok(Vec::new());
    }
    let bytes = unescape(path).and_then(|bytes| EntryPath::new(&bytes).ok());
    let mut dir = bytes.ok_or_else(|| not_found(path))?.as_bytes().to_vec();
    dir.push(b'/');
    Ok(dir)
}

fn not_found(path: &str) -> JobError {
    JobError::new(
        ErrorCode::PathNotFound,
        format!("{path} is no directory of this snapshot"),
        "start at the root and follow the paths shown",
    )
}

/// What is collected.
struct Level {
    dir: Vec<u8>,
    after: Option<Vec<u8>>,
    limit: usize,
    found: bool,
    /// The first `limit + 1` names; `None` for a directory only known from what lies below it.
    names: BTreeMap<Vec<u8>, Option<BrowsedEntry>>,
}

impl Level {
    fn see(&mut self, entry: &Entry) {
        let path = entry.path.as_bytes();
        let Some(below) = path.strip_prefix(self.dir.as_slice()) else {
            let itself = self.dir.strip_suffix(b"/") == Some(path);
            self.found |= itself && matches!(entry.kind, EntryKind::Directory);
            return;
        };
        self.found = true;
        let slash = below.iter().position(|&b| b == b'/');
        let name = &below[..slash.unwrap_or(below.len())];
        let beyond = self.names.len() > self.limit
            && self
                .names
                .last_key_value()
                .is_some_and(|(last, _)| name > last.as_slice());
        if beyond || self.after.as_deref().is_some_and(|after| name <= after) {
            return;
        }
        if slash.is_none() {
            self.names.insert(name.to_vec(), Some(shown(entry, name)));
        } else if !self.names.contains_key(name) {
            self.names.insert(name.to_vec(), None);
        }
        if self.names.len() > self.limit + 1 {
            self.names.pop_last();
        }
    }

    fn page(mut self) -> BrowsePage {
        let more = self.names.len() > self.limit;
        if more {
            self.names.pop_last();
        }
        let next_cursor = self
            .names
            .last_key_value()
            .filter(|_| more)
            .map(|(name, _)| escape(name));
        let dir = self.dir;
        let items = self.names.into_iter();
        BrowsePage {
            items: items
                .map(|(name, entry)| entry.unwrap_or_else(|| implied(&dir, &name)))
                .collect(),
            next_cursor,
        }
    }
}

fn shown(entry: &Entry, name: &[u8]) -> BrowsedEntry {
    let (kind, size, target) = match &entry.kind {
        EntryKind::File { size } => ("file", *size, None),
        EntryKind::Directory => ("directory", 0, None),
        EntryKind::Symlink { target } => ("symlink", 0, Some(escape(target))),
        EntryKind::HardLink { target } => ("hardlink", 0, Some(escape(target.as_bytes()))),
    };
    BrowsedEntry {
        name: escape(name),
        path: escape(entry.path.as_bytes()),
        kind: kind.to_owned(),
        size,
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        mtime: DateTime::from_timestamp(entry.mtime.seconds, entry.mtime.nanos),
        link_target: target,
    }
}

/// A directory of which only the content was captured.
fn implied(dir: &[u8], name: &[u8]) -> BrowsedEntry {
    BrowsedEntry {
        name: escape(name),
        path: escape(&[dir, name].concat()),
        kind: "directory".to_owned(),
        size: 0,
        mode: 0o755,
        uid: 0,
        gid: 0,
        mtime: None,
        link_target: None,
    }
}
