//! Reads and checks the two clear files.

use std::io::Read;

use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{
    Expected, Files, Manifest, Meta,
    fault::{Fault, Place},
    frames::seal::hex,
    manifest::{MANIFEST_FORMAT, META_FORMAT, VERSION, VERSION_WITH_PARTS},
};
use crate::domain::snapshot::ArtifactFile;

/// Longest clear file accepted, in bytes.
const MAX_CLEAR: u64 = 4 * 1024 * 1024;

/// Manifest and meta of a snapshot, which agree with each other.
pub(crate) struct Clear {
    pub(crate) manifest: Manifest,
    pub(crate) meta: Meta,
    /// Bytes of both files.
    pub(crate) bytes: u64,
}

impl Clear {
    pub(crate) fn read(files: &dyn Files) -> Result<Self, Fault> {
        const META: Place = Place(ArtifactFile::Meta);
        const MANIFEST: Place = Place(ArtifactFile::Manifest);
        let (meta, meta_text): (Meta, _) = read(files, META, META_FORMAT, VERSION)?;
        if !meta.is_sound(&meta_text) {
            return Err(META.damaged("it does not have the SHA-256 that stands in it"));
        }
        let (manifest, text): (Manifest, _) = read(files, MANIFEST, MANIFEST_FORMAT, VERSION_WITH_PARTS)?;
        if hex(&Sha256::digest(&text)) != meta.manifest_sha256 {
            return Err(MANIFEST.damaged("it does not have the SHA-256 that meta.json names"));
        }
        if meta.key != manifest.key || meta.job_id != manifest.job_id {
            return Err(META.damaged("it belongs to another snapshot than manifest.json"));
        }
        if manifest.counts.streams > 0 && manifest.version < VERSION_WITH_PARTS {
            return Err(MANIFEST.damaged("it counts files in parts, which its version does not have"));
        }
        Ok(Self {
            manifest,
            meta,
            bytes: (meta_text.len() + text.len()) as u64,
        })
    }
}

impl Clear {
    /// Fails unless these are the files that were catalogued.
    pub(crate) fn must_be(&self, expected: &Expected) -> Result<(), Fault> {
        let backup = self.manifest.files.get(ArtifactFile::Backup.name());
        if self.meta.manifest_sha256 != expected.manifest_sha256
            || backup.map(|sum| &sum.sha256) != Some(&expected.sha256)
        {
            return Err(Place(ArtifactFile::Manifest).damaged("it is not the one that was catalogued"));
        }
        Ok(())
    }
}

/// Enough of a file to know whether the rest can be understood.
#[derive(Deserialize)]
struct Kind {
    format: String,
    version: u64,
}

/// Reads a clear file of a version up to `newest`.
fn read<T: DeserializeOwned>(
    files: &dyn Files,
    place: Place,
    format: &str,
    newest: u32,
) -> Result<(T, Vec<u8>), Fault> {
    let mut text = Vec::new();
    files
        .open(place.0)?
        .take(MAX_CLEAR)
        .read_to_end(&mut text)
        .map_err(|error| place.read_failed(error))?;
    let damaged = |error: serde_json::Error| place.damaged(format!("it is no {format}: {error}"));
    let kind: Kind = serde_json::from_slice(&text).map_err(damaged)?;
    if kind.format != format {
        return Err(place.damaged(format!("it is no {format}")));
    }
    if kind.version > u64::from(newest) {
        return Err(Fault::TooNew {
            place,
            version: kind.version,
        });
    }
    Ok((serde_json::from_slice(&text).map_err(damaged)?, text))
}
