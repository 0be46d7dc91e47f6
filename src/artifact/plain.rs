//! What can be said of an artifact without its key.

use std::io::{Seek, SeekFrom};

use super::{
    Expected, Files, Gauge, Manifest, Meta,
    clear::Clear,
    fault::{Fault, Place},
    frames::{hashed::Hashed, unseal},
    whole::check,
};
use crate::domain::{job::JobError, snapshot::ArtifactFile};

/// The manifest, checked against `meta.json`.
pub fn manifest(files: &dyn Files) -> Result<Manifest, JobError> {
    Clear::read(files)
        .map(|clear| clear.manifest)
        .map_err(|fault| fault.into_job_error(&files.place()))
}

/// What `meta.json` says, checked with the manifest it names.
pub fn meta(files: &dyn Files) -> Result<Meta, JobError> {
    Clear::read(files)
        .map(|clear| clear.meta)
        .map_err(|fault| fault.into_job_error(&files.place()))
}

/// The age header of one of the encrypted files: what its key is unwrapped from.
pub fn age_header(files: &dyn Files, file: ArtifactFile) -> Result<Vec<u8>, JobError> {
    let read = || -> Result<Vec<u8>, Fault> { unseal::header(files.open(file)?.as_mut(), Place(file)) };
    read().map_err(|fault| fault.into_job_error(&files.place()))
}

/// Looks whether all four files are there, have their lengths, and whether the clear ones are sound and
/// those that were catalogued. Reads little, so it can be done often; gives the manifest.
pub fn look(files: &dyn Files, expected: Option<&Expected>) -> Result<Manifest, JobError> {
    looked(files, expected).map_err(|fault| fault.into_job_error(&files.place()))
}

fn looked(files: &dyn Files, expected: Option<&Expected>) -> Result<Manifest, Fault> {
    let length = |file: &ArtifactFile| -> Result<u64, Fault> {
        let end = files.open(*file)?.seek(SeekFrom::End(0));
        end.map_err(|error| Place(*file).read_failed(error))
    };
    // Before anything is read: that a file is missing explains more than what comes of it.
    let lengths = ArtifactFile::ALL
        .iter()
        .map(length)
        .collect::<Result<Vec<u64>, Fault>>()?;
    let clear = Clear::read(files)?;
    if let Some(expected) = expected {
        clear.must_be(expected)?;
    }
    for (file, length) in ArtifactFile::ALL.iter().zip(lengths) {
        // The clear files are not in the list; their hashes were compared.
        let wanted = clear.manifest.files.get(file.name()).map_or(length, |sum| sum.bytes);
        if length != wanted {
            return Err(Place(*file).damaged(format!("it has {length} bytes, and {wanted} were stored")));
        }
    }
    Ok(clear.manifest)
}

/// Checks lengths and hashes of all four files; gives their bytes. Says nothing of what is inside.
pub fn check_hashes(files: &dyn Files, expected: Option<&Expected>, gauge: &Gauge) -> Result<u64, JobError> {
    let checked = || -> Result<u64, Fault> {
        let clear = Clear::read(files)?;
        if let Some(expected) = expected {
            clear.must_be(expected)?;
        }
        gauge.expect_bytes(clear.manifest.files.values().map(|sum| sum.bytes).sum());
        let mut bytes = clear.bytes;
        for file in [ArtifactFile::Index, ArtifactFile::Backup] {
            let (_, hash) = Hashed::new(files.open(file)?);
            bytes += check(files, &clear, Place(file), &hash, gauge)?;
        }
        Ok(bytes)
    };
    checked().map_err(|fault| fault.into_job_error(&files.place()))
}
