//! Reads a whole snapshot, front to end, and checks every byte of it on the way.

use super::{
    Counts, Files, Gauge, Keys,
    clear::Clear,
    fault::{Fault, Place},
    frames::{
        hashed::{HashHandle, Hashed},
        read::{FrameReader, Tee},
    },
    index::read::IndexReader,
    manifest::Sizes,
    walk::{Visitor, Walk, stream_sizes},
};
use crate::domain::snapshot::ArtifactFile;

/// Passes all entries to `visitor` and, if wanted, all frames and the seek table to `tee`. What was
/// passed is only good if this succeeds. Gives the bytes of the encrypted files.
pub(crate) fn whole(
    files: &dyn Files,
    keys: &Keys,
    clear: &Clear,
    gauge: &Gauge,
    visitor: &mut dyn Visitor,
    tee: Option<Tee<'_>>,
) -> Result<u64, Fault> {
    gauge.expect_bytes(clear.manifest.sizes.content);
    let (index, index_hash) = Hashed::new(files.open(ArtifactFile::Index)?);
    let (backup, backup_hash) = Hashed::new(files.open(ArtifactFile::Backup)?);
    let walked = streams(files, keys, clear)
        .and_then(|streams| walk(index, backup, keys, streams, gauge, visitor, tee))
        .and_then(|seen| match seen == (clear.manifest.counts, clear.manifest.sizes) {
            true => Ok(()),
            false => Err(Place(ArtifactFile::Manifest).damaged("it counts other entries than the index")),
        });
    let walked = match walked {
        Err(fault @ Fault::Other(_)) => return Err(fault),
        walked => walked,
    };
    // A wrong hash explains more than what came of it, so it goes first.
    let mut bytes = 0;
    for (file, hash) in [(ArtifactFile::Index, index_hash), (ArtifactFile::Backup, backup_hash)] {
        // What the walk has counted already is not counted again.
        bytes += check(files, clear, Place(file), &hash, &Gauge::new())?;
    }
    walked.map(|()| bytes)
}

/// The sizes of the streams in it.
fn streams(files: &dyn Files, keys: &Keys, clear: &Clear) -> Result<Vec<u64>, Fault> {
    match clear.manifest.counts.streams {
        // Spares reading the index twice.
        0 => Ok(Vec::new()),
        _ => stream_sizes(&mut IndexReader::open(files.open(ArtifactFile::Index)?, &keys.index)?),
    }
}

fn walk(
    index: Hashed,
    backup: Hashed,
    keys: &Keys,
    streams: Vec<u64>,
    gauge: &Gauge,
    visitor: &mut dyn Visitor,
    tee: Option<Tee<'_>>,
) -> Result<(Counts, Sizes), Fault> {
    let mut index = IndexReader::open(Box::new(index), &keys.index)?;
    let mut frames = FrameReader::open(Box::new(backup), &keys.backup, Place(ArtifactFile::Backup))?;
    if let Some(tee) = tee {
        frames.tee(tee);
    }
    let mut walk = Walk::new(frames, gauge, streams);
    let seen = walk.whole(&mut index, visitor)?;
    walk.into_frames().tee_table()?;
    Ok(seen)
}

/// Reads what is left of a file and compares length and hash of the whole with the manifest.
pub(crate) fn check(
    files: &dyn Files,
    clear: &Clear,
    place: Place,
    hash: &HashHandle,
    gauge: &Gauge,
) -> Result<u64, Fault> {
    let wanted = clear.manifest.files.get(place.0.name());
    let wanted = wanted.ok_or(Place(ArtifactFile::Manifest).damaged(format!("it lacks {}", place.0.name())))?;
    let rest = files.open(place.0)?;
    let (bytes, sha256) = hash.finish(rest, place, gauge)?;
    if bytes != wanted.bytes {
        return Err(place.damaged(format!("it has {bytes} bytes, and {} were stored", wanted.bytes)));
    }
    if sha256 != wanted.sha256 {
        return Err(place.damaged("it does not have the SHA-256 that manifest.json names"));
    }
    Ok(bytes)
}
