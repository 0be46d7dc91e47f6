//! Exports: everything or chosen paths as one tar or zip, or one file as it is.
//!
//! A full tar is the stored stream, byte for byte but for files in parts, which are joined; it is checked
//! on the way. Chosen paths are copied out of the stream by reading only the frames they lie in.

mod chosen;
mod hand_over;
mod output;
mod plain;
mod selection;
mod tar_copy;
mod unpack;
mod zip;
mod zip_records;

use std::io::Write;

pub use self::{
    hand_over::{Handed, hand_over, hand_over_list},
    unpack::{UnpackReport, unpack},
};

use self::{output::Output, selection::Selection, tar_copy::TarCopy};
use super::{Files, Gauge, Keys, clear::Clear, fault::Fault, walk::Nothing, whole::whole};
use crate::domain::job::{ExportFormat, JobError};

/// What an export holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// Bytes written to the output.
    pub bytes: u64,
    /// Entries of any kind.
    pub files: u64,
}

/// Writes everything, or the chosen paths and all below them, into `out`. `selection` holds paths
/// in the escaped form the browser shows; everything if empty. What was written is only good if
/// this succeeds.
///
/// A chosen path that is not there is
/// [`PathNotFound`](crate::domain::error_code::ErrorCode::PathNotFound); more entries than a format can
/// hold are [`ExportLimit`](crate::domain::error_code::ErrorCode::ExportLimit).
pub fn export(
    files: &dyn Files,
    keys: &Keys,
    selection: &[String],
    format: ExportFormat,
    out: &mut dyn Write,
    gauge: &Gauge,
) -> Result<ExportReport, JobError> {
    let selection = Selection::parse(selection)?;
    written(files, keys, selection, format, out, gauge).map_err(|fault| fault.into_job_error(&files.place()))
}

fn written(
    files: &dyn Files,
    keys: &Keys,
    selection: Selection,
    format: ExportFormat,
    out: &mut dyn Write,
    gauge: &Gauge,
) -> Result<ExportReport, Fault> {
    let clear = Clear::read(files)?;
    let mut out = Output::new(out);
    let everything = selection.is_everything();
    let entries = match format {
        ExportFormat::Zip => {
            let mut writer = zip::ZipWriter::new(&mut out);
            let entries = chosen::copy(files, keys, &clear, selection, gauge, &mut writer)?;
            writer.finish()?;
            entries
        }
        ExportFormat::File => chosen::copy(
            files,
            keys,
            &clear,
            selection,
            gauge,
            &mut plain::PlainFile::new(&mut out),
        )?,
        // The stored frames are a tar.zst already, unless it has files in parts.
        ExportFormat::TarZst if everything && clear.manifest.counts.streams == 0 => {
            let mut tee = |frame: &[u8]| out.bytes(frame);
            whole(files, keys, &clear, gauge, &mut Nothing, Some(&mut tee))?;
            clear.manifest.counts.entries()
        }
        _ => {
            let mut copy = TarCopy::new(&mut out, format)?;
            let entries = if everything {
                whole(files, keys, &clear, gauge, &mut copy, None)?;
                clear.manifest.counts.entries()
            } else {
                chosen::copy(files, keys, &clear, selection, gauge, &mut copy)?
            };
            copy.finish()?;
            entries
        }
    };
    Ok(ExportReport {
        bytes: out.finish()?,
        files: entries,
    })
}
