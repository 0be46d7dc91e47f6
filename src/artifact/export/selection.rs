//! Which paths were chosen.

use std::collections::BTreeMap;

use crate::domain::{
    entry::EntryPath,
    error_code::ErrorCode,
    escaped::{escape, unescape},
    job::JobError,
};

/// Chosen paths, and which of them were met.
pub(super) struct Selection {
    /// Empty if everything was chosen.
    paths: BTreeMap<Vec<u8>, bool>,
}

impl Selection {
    /// Reads paths in their escaped form. An empty list, or the root in it, means everything.
    pub(super) fn parse(paths: &[String]) -> Result<Self, JobError> {
        let mut chosen = BTreeMap::new();
        for text in paths {
            if text.trim_matches('/').is_empty() {
                return Ok(Self { paths: BTreeMap::new() });
            }
            let path = unescape(text).and_then(|bytes| EntryPath::new(&bytes).ok());
            let path = path.ok_or_else(|| not_found(text))?;
            chosen.insert(path.as_bytes().to_vec(), false);
        }
        Ok(Self { paths: chosen })
    }

    pub(super) fn is_everything(&self) -> bool {
        self.paths.is_empty()
    }

    /// True if `path` or a directory above it was chosen.
    pub(super) fn covers(&self, path: &EntryPath) -> bool {
        self.is_everything() || upwards(path).any(|path| self.paths.contains_key(path))
    }

    /// Like [`Selection::covers`], and remembers that the choice was met.
    pub(super) fn meets(&mut self, path: &EntryPath) -> bool {
        let mut met = self.is_everything();
        for path in upwards(path) {
            if let Some(seen) = self.paths.get_mut(path) {
                *seen = true;
                met = true;
            }
        }
        met
    }

    /// Fails if a chosen path was not met.
    pub(super) fn all_met(&self) -> Result<(), JobError> {
        match self.paths.iter().find(|(_, met)| !**met) {
            Some((path, _)) => Err(not_found(&escape(path))),
            None => Ok(()),
        }
    }
}

/// The path and all directories above it.
fn upwards(path: &EntryPath) -> impl Iterator<Item = &[u8]> {
    let bytes = path.as_bytes();
    let slashes = bytes.iter().enumerate().filter(|(_, b)| **b == b'/');
    slashes.map(|(at, _)| &bytes[..at]).chain(std::iter::once(bytes))
}

fn not_found(path: &str) -> JobError {
    JobError::new(
        ErrorCode::PathNotFound,
        format!("{path} is not in this snapshot"),
        "choose paths as the file list of the snapshot shows them",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> EntryPath {
        EntryPath::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_path_means_itself_and_all_below() {
        let mut selection = Selection::parse(&["/srv/www/".into(), "etc/a".into()]).unwrap();
        assert!(selection.meets(&path("srv/www")));
        assert!(selection.covers(&path("srv/www/x/y")));
        assert!(!selection.covers(&path("srv/wwwx")));
        assert!(!selection.covers(&path("srv")));
        assert_eq!(selection.all_met().unwrap_err().code, ErrorCode::PathNotFound);
        assert!(selection.meets(&path("etc/a/b")));
        selection.all_met().unwrap();
    }

    #[test]
    fn the_root_is_everything_and_nonsense_is_not_found() {
        assert!(Selection::parse(&["/".into()]).unwrap().is_everything());
        assert!(Selection::parse(&[]).unwrap().is_everything());
        for bad in ["../etc", "a\\q"] {
            assert_eq!(
                Selection::parse(&[bad.into()]).err().unwrap().code,
                ErrorCode::PathNotFound
            );
        }
    }
}
