//! Exports: everything or chosen paths as one tar or zip.

use std::io::Write;

use super::{Files, Gauge, Keys};
use crate::domain::{
    error_code::ErrorCode,
    job::{ExportFormat, JobError},
};

/// What an export holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// Bytes written to the output.
    pub bytes: u64,
    /// Entries of any kind.
    pub files: u64,
}

/// Writes everything, or the chosen paths and all below them, into `out`. `selection` holds paths
/// in the escaped form the browser shows; everything if empty.
pub fn export(
    files: &dyn Files,
    keys: &Keys,
    selection: &[String],
    format: ExportFormat,
    out: &mut dyn Write,
    gauge: &Gauge,
) -> Result<ExportReport, JobError> {
    let _ = (files.place(), keys, selection, format, out, gauge);
    Err(JobError::new(ErrorCode::Internal, "not built yet", ""))
}
