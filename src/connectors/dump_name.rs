//! What a dump is called in an artifact, for connectors: a name that cannot be is an error of the job.

use crate::domain::{dump::path_of, entry::EntryPath, error_code::ErrorCode, escaped::escape, job::JobError};

/// The path `databases/{name}.{sql|dump|json}` for a database of this name; see [`path_of`].
///
/// # Errors
/// `source_limit` if the name is longer than any path.
pub fn dump_path(database: &str, extension: &str) -> Result<EntryPath, JobError> {
    path_of(database, extension).map_err(|invalid| {
        JobError::new(
            ErrorCode::SourceLimit,
            format!(
                "the database {} cannot be stored under its name: {invalid}",
                escape(database.as_bytes())
            ),
            "Give it another name.",
        )
    })
}
