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
        parts::stream_of,
        walk::{Visitor, Walk, note_size},
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
    let Plan {
        entries,
        mut outside,
        streams,
    } = plan(files, keys, clear, &mut selection, gauge, sink)?;
    let mut index = IndexReader::open(files.open(ArtifactFile::Index)?, &keys.index)?;
    let backup = files.open(ArtifactFile::Backup)?;
    let frames = FrameReader::open(backup, &keys.backup, Place(ArtifactFile::Backup))?;
    let mut walk = Walk::new(frames, gauge, streams);
    while let Some(item) = index.next()? {
        let record = match item {
            Item::Stream(stream) if selection.covers(&stream.entry.path) => {
                walk.joined(&stream, sink)?;
                continue;
            }
            Item::Entry(record) => record,
            Item::Stream(_) | Item::Problem(_) | Item::Trailer(..) => continue,
        };
        if let Some(part) = record.part {
            if stream_of(&record.entry.path, part).is_some_and(|stream| selection.covers(&stream)) {
                walk.entry(&record, sink)?;
            }
            continue;
        }
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
    walk.nothing_open()?;
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

/// What the first pass found.
#[derive(Default)]
struct Plan {
    entries: u64,
    outside: BTreeMap<EntryPath, Outside>,
    /// Sizes of the chosen streams, in order.
    streams: Vec<u64>,
}

/// The first pass: counts, limits, and whether every choice is there.
fn plan(
    files: &dyn Files,
    keys: &Keys,
    clear: &Clear,
    selection: &mut Selection,
    gauge: &Gauge,
    sink: &dyn Sink,
) -> Result<Plan, Fault> {
    let (mut plan, mut bytes) = (Plan::default(), 0u64);
    let (file, hash) = Hashed::new(files.open(ArtifactFile::Index)?);
    let mut index = IndexReader::open(Box::new(file), &keys.index)?;
    while let Some(item) = index.next()? {
        gauge.check()?;
        let entry = match item {
            Item::Stream(stream) if selection.meets(&stream.entry.path) => {
                note_size(&mut plan.streams, &stream)?;
                stream.entry
            }
            Item::Entry(record) if record.part.is_none() && selection.meets(&record.entry.path) => record.entry,
            _ => continue,
        };
        plan.entries += 1;
        match entry.kind {
            EntryKind::File { size } => bytes = bytes.saturating_add(size),
            EntryKind::HardLink { target } if wants(selection, sink, &target) => {
                plan.outside.entry(target).or_insert_with(Outside::default);
            }
            _ => {}
        }
        if sink.limit().is_some_and(|limit| plan.entries > limit) || plan.outside.len() > MAX_OUTSIDE {
            return Err(Fault::Other(too_many(sink.limit())));
        }
    }
    whole::check(files, clear, Place(ArtifactFile::Index), &hash, &Gauge::new())?;
    selection.all_met()?;
    if plan.entries == 0 {
        return Err(Place(ArtifactFile::Index).damaged("it lists nothing at all"));
    }
    gauge.expect_bytes(bytes);
    Ok(plan)
}

fn too_many(limit: Option<u64>) -> JobError {
    let message = match limit {
        Some(1) => "one file alone is given out as it is, and what was chosen is more than that".to_owned(),
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
