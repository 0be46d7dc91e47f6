//! What of an entry can be stored at all.

use super::{ArtifactWriter, problem};
use crate::{
    artifact::tar::MAX_PAX,
    domain::{
        entry::{Entry, EntryKind, MAX_PATH, Problem, ProblemKind},
        error_code::ErrorCode,
        escaped::escape,
        job::JobError,
    },
};

/// Largest file accepted, in bytes: 64 TiB. A size beyond that is a lie or a sparse file nobody means.
const MAX_FILE: u64 = 1 << 46;

impl ArtifactWriter {
    /// Why an entry cannot be stored: a problem to go on with, or an error that ends the job.
    pub(super) fn refused(&self, entry: &Entry) -> Result<Option<Problem>, JobError> {
        let problem = |kind, message: String| Ok(Some(problem(kind, entry, message)));
        match &entry.kind {
            EntryKind::File { size } if *size > MAX_FILE => Err(JobError::new(
                ErrorCode::SourceLimit,
                format!(
                    "the source says that /{} has {size} bytes; at most 64 TiB are accepted",
                    entry.path
                ),
                "exclude it, or look at what is wrong with it on the source",
            )),
            EntryKind::Symlink { target } if target.is_empty() || target.contains(&0) || target.len() > MAX_PATH => {
                problem(
                    ProblemKind::NameRefused,
                    "its link target is empty, too long or has a NUL byte".into(),
                )
            }
            EntryKind::HardLink { target } if *target == entry.path || !self.names.contains(target) => problem(
                ProblemKind::Unreadable,
                format!(
                    "it is a hard link to /{}, which is not in this backup",
                    escape(target.as_bytes())
                ),
            ),
            _ => Ok(None),
        }
    }
}

/// Keeps the pax records the format knows; a source must not smuggle in a `path` or `size`.
pub(super) fn keep_known_pax(entry: &mut Entry) -> Option<Problem> {
    const KNOWN: [&str; 4] = ["SCHILY.xattr.", "SCHILY.acl.", "LIBARCHIVE.xattr.", "RHT.security."];
    let before = entry.pax.len();
    entry.pax.retain(|(key, _)| {
        KNOWN.iter().any(|prefix| key.starts_with(prefix)) && !key.bytes().any(|b| b == b'=' || b < b' ')
    });
    let bytes: usize = entry.pax.iter().map(|(key, value)| key.len() + value.len() + 32).sum();
    if bytes > MAX_PAX {
        entry.pax.clear();
    }
    (entry.pax.len() < before).then(|| {
        let message = "some of its extended attributes are too large or of a kind that is not stored";
        problem(ProblemKind::Note, entry, message.into())
    })
}
