//! Reads a whole snapshot again and checks every byte of it.

use super::{Counts, Files, Gauge, Keys, clear::Clear, fault::Fault, walk::Nothing, whole::whole};
use crate::domain::job::JobError;

/// What the catalogue says about the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// SHA-256 of `backup.tar.zst.enc`, lower-case hex.
    pub sha256: String,
    /// SHA-256 of `manifest.json`, lower-case hex.
    pub manifest_sha256: String,
}

/// What a successful verification saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Entries by kind.
    pub counts: Counts,
    /// Bytes of file content, each hashed.
    pub bytes_content: u64,
    /// Bytes of the stored files.
    pub bytes_stored: u64,
}

/// Checks hashes, decrypts, decompresses, and compares each entry of the tar with the index.
/// Anything wrong is [`SnapshotDamaged`](crate::domain::error_code::ErrorCode::SnapshotDamaged)
/// with a message that names it.
pub fn verify(
    files: &dyn Files,
    keys: &Keys,
    expected: Option<&Expected>,
    gauge: &Gauge,
) -> Result<VerifyReport, JobError> {
    checked(files, keys, expected, gauge).map_err(|fault| fault.into_job_error(&files.place()))
}

fn checked(files: &dyn Files, keys: &Keys, expected: Option<&Expected>, gauge: &Gauge) -> Result<VerifyReport, Fault> {
    let clear = Clear::read(files)?;
    if let Some(expected) = expected {
        clear.must_be(expected)?;
    }
    let bytes = whole(files, keys, &clear, gauge, &mut Nothing, None)?;
    Ok(VerifyReport {
        counts: clear.manifest.counts,
        bytes_content: clear.manifest.sizes.content,
        bytes_stored: clear.bytes + bytes,
    })
}
