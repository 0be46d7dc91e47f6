//! One directory level out of the index.

use crate::{
    crypto::age_keys::FileKey,
    domain::{brief::BrowsePage, error_code::ErrorCode, job::JobError},
    storage::ReadSeek,
};

/// Lists the directory `path` (escaped, the root if empty): at most `limit` names after `cursor`.
///
/// A key that does not open the index is [`ErrorCode::KeyUnavailable`], a path that is no
/// directory [`ErrorCode::PathNotFound`].
pub fn browse(
    index: Box<dyn ReadSeek>,
    key: &FileKey,
    path: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<BrowsePage, JobError> {
    let _ = (index, key, path, cursor, limit);
    Err(JobError::new(ErrorCode::Internal, "not built yet", ""))
}
