//! Chosen entries, read from their frames only.
//!
//! Two passes over the index. The first finds what was chosen, and which files outside of it chosen
//! hard links point to; the second copies, and remembers on the way where those files lie (they
//! come before their links).

use std::collections::BTreeMap;

use crate::{
    artifact::{
        Files, Gauge, Keys,
        clear::Clear,
        export::selection::Selection,
        fault::{Fault, Place},
        frames::{hashed::Hashed, read::FrameReader},
        index::{Item, Record, read::IndexReader},
        walk::{Visitor, Walk},
        whole,
    },
    domain::{
        entry::{EntryKind, EntryPath},
        error_code::ErrorCode,
        job::JobError,
        snapshot::ArtifactFile,
    },
};

/// Most files outside of the selection that hard links in it may point to; bounds the memory.
const MAX_OUTSIDE: usize = 100_000;

/// What takes the entries.
pub(super) trait Sink: Visitor {
    /// Most entries it can hold, if it has a limit.
    fn limit(&self) -> Option<u64>;
    /// True if it can hold a hard link to an entry it already has.
    fn links(&self) -> bool;
    /// The entry that [`Visitor::begin`] gets next is to be stored as what `record` describes.
    fn rename(&mut self, record: &Record);
    /// A hard link, of which there is nothing to read.
    fn link(&mut self, record: &Record, target: &EntryPath) -> Result<(), Fault>;
}

/// A file that chosen links point to.
#[derive(Default)]
struct Outside {
    record: Option<Record>,
    /// The first link that was stored with its content.
    stored_as: Option<EntryPath>,
}

/// Copies what was chosen; gives the number of entries.
pub(super) fn copy(
    files: &dyn Files,
    keys: &Keys,
    clear: &Clear,
    mut selection: Selection,
    gauge: &Gauge,
    sink: &mut dyn Sink,
) -> Result<u64, Fault> {
    let (entries, mut outside) = plan(files, keys, clear, &mut selection, gauge, sink)?;
    let mut index = IndexReader::open(files.open(ArtifactFile::Index)?, &keys.index)?;
    let backup = files.open(ArtifactFile::Backup)?;
    let frames = FrameReader::open(backup, &keys.backup, Place(ArtifactFile::Backup))?;
    let mut walk = Walk::new(frames, gauge);
    while let Some(item) = index.next()? {
        let Item::Entry(record) = item else { continue };
        let chosen = selection.covers(&record.entry.path);
        if chosen {
            match &record.entry.kind {
                EntryKind::HardLink { target } if wants(&selection, sink, target) => {
                    let outside = outside.get_mut(target).filter(|outside| outside.record.is_some());
                    let outside = outside.ok_or_else(|| dangling(target))?;
                    link(&mut walk, sink, &record, outside)?;
                }
                _ => walk.entry(&record, sink)?,
            }
        }
        if let Some(outside) = outside.get_mut(&record.entry.path)
            && !matches!(record.entry.kind, EntryKind::HardLink { .. })
        {
            outside.record = Some(record);
        }
    }
    Ok(entries)
}

/// True if the content of `target` must stand in for a link to it.
fn wants(selection: &Selection, sink: &dyn Sink, target: &EntryPath) -> bool {
    !sink.links() || !selection.covers(target)
}

/// A link to a file that is not there itself: the first becomes the file, the rest link to the first.
fn link(walk: &mut Walk<'_>, sink: &mut dyn Sink, record: &Record, outside: &mut Outside) -> Result<(), Fault> {
    match (&outside.stored_as, &outside.record) {
        (Some(first), _) if sink.links() => sink.link(record, first),
        (_, Some(file)) => {
            sink.rename(record);
            walk.entry(file, sink)?;
            outside.stored_as = Some(record.entry.path.clone());
            Ok(())
        }
        (_, None) => Err(dangling(&record.entry.path)),
    }
}

/// The first pass: counts, limits, and whether every choice is there.
fn plan(
    files: &dyn Files,
    keys: &Keys,
    clear: &Clear,
    selection: &mut Selection,
    gauge: &Gauge,
    sink: &dyn Sink,
) -> Result<(u64, BTreeMap<EntryPath, Outside>), Fault> {
    let (mut entries, mut bytes) = (0, 0u64);
    let mut outside = BTreeMap::new();
    let (file, hash) = Hashed::new(files.open(ArtifactFile::Index)?);
    let mut index = IndexReader::open(Box::new(file), &keys.index)?;
    while let Some(item) = index.next()? {
        gauge.check()?;
        let Item::Entry(record) = item else { continue };
        if !selection.meets(&record.entry.path) {
            continue;
        }
        entries += 1;
        match record.entry.kind {
            EntryKind::File { size } => bytes = bytes.saturating_add(size),
            EntryKind::HardLink { target } if wants(selection, sink, &target) => {
                outside.entry(target).or_insert_with(Outside::default);
            }
            _ => {}
        }
        if sink.limit().is_some_and(|limit| entries > limit) || outside.len() > MAX_OUTSIDE {
            return Err(Fault::Other(too_many(sink.limit())));
        }
    }
    whole::check(files, clear, Place(ArtifactFile::Index), &hash, &Gauge::new())?;
    selection.all_met()?;
    if entries == 0 {
        return Err(Place(ArtifactFile::Index).damaged("it lists nothing at all"));
    }
    gauge.expect_bytes(bytes);
    Ok((entries, outside))
}

fn too_many(limit: Option<u64>) -> JobError {
    let message = match limit {
        Some(limit) => format!("a zip made here holds at most {limit} entries, and more were chosen"),
        None => format!("more than {MAX_OUTSIDE} of the chosen files are hard links to files that were not chosen"),
    };
    JobError::new(
        ErrorCode::ExportLimit,
        message,
        "choose tar.zst, which holds any number, or fewer paths, or everything",
    )
}

fn dangling(target: &EntryPath) -> Fault {
    Place(ArtifactFile::Index).damaged(format!(
        "a hard link points to /{target}, which does not come before it"
    ))
}
