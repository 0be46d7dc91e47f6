//! Finds the configuration that WordPress would take for a document root.

use super::{faults, php::Seen, remote::Remote};
use crate::domain::{error_code::ErrorCode, job::JobError};

/// A site that was found.
#[derive(Debug, Clone)]
pub(super) struct Located {
    /// The document root, with all links resolved.
    pub(super) root: String,
    /// `ABSPATH`, if WordPress itself lies in the document root: with a slash at its end.
    pub(super) abspath: Option<String>,
    /// The configuration's path, as WordPress names it.
    pub(super) config: String,
    /// What lies there: a file.
    pub(super) seen: Seen,
}

/// Finds it: in the document root, or one level up from WordPress itself if no other WordPress lies there.
///
/// # Errors
/// `path_not_found`, `config_not_found`, `permission_denied`.
pub(super) async fn locate(remote: &Remote<'_>, path: &str) -> Result<Located, JobError> {
    let place = remote.place();
    let Some(root) = remote.resolve(&[path.to_owned()]).await?.into_iter().flatten().next() else {
        return Err(JobError::new(
            ErrorCode::PathNotFound,
            format!("{path} does not exist on {place}, or this login may not enter it"),
            "Correct the site's document root. Checking the connection lists the sites that it finds.",
        ));
    };
    let core = [format!("{root}/wp-load.php"), format!("{root}/wp-settings.php")];
    let has_core = remote.resolve(&core).await?.iter().any(Option::is_some);
    let abspath = has_core.then(|| format!("{root}/"));
    let mut candidates = vec![format!("{root}/wp-config.php")];
    if let (true, Some((above, _))) = (has_core, root.rsplit_once('/')) {
        let settings = [format!("{above}/wp-settings.php")];
        if remote.resolve(&settings).await?.iter().all(Option::is_none) {
            candidates.push(format!("{above}/wp-config.php"));
        }
    }
    for config in candidates {
        match remote.read(&config).await? {
            seen @ Seen::File { .. } => {
                return Ok(Located {
                    root,
                    abspath,
                    config,
                    seen,
                });
            }
            Seen::Unreadable(why) => {
                return Err(JobError::new(
                    ErrorCode::PermissionDenied,
                    format!("{config} on {place} {why}"),
                    "Grant the login read access to the site's files, or use the account that they belong to.",
                ));
            }
            Seen::Other | Seen::Absent => {}
        }
    }
    Err(faults::no_config(place, &root))
}
