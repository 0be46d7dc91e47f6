//! What can be said of an artifact without its key.

use super::{
    Files, Manifest,
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

/// The age header of one of the encrypted files: what its key is unwrapped from.
pub fn age_header(files: &dyn Files, file: ArtifactFile) -> Result<Vec<u8>, JobError> {
    let read = || -> Result<Vec<u8>, Fault> { unseal::header(files.open(file)?.as_mut(), Place(file)) };
    read().map_err(|fault| fault.into_job_error(&files.place()))
}

/// Checks lengths and hashes of all four files; gives their bytes. Says nothing of what is inside.
pub fn check_hashes(files: &dyn Files) -> Result<u64, JobError> {
    let checked = || -> Result<u64, Fault> {
        let clear = Clear::read(files)?;
        let mut bytes = clear.bytes;
        for file in [ArtifactFile::Index, ArtifactFile::Backup] {
            let (_, hash) = Hashed::new(files.open(file)?);
            bytes += check(files, &clear, Place(file), &hash)?;
        }
        Ok(bytes)
    };
    checked().map_err(|fault| fault.into_job_error(&files.place()))
}
