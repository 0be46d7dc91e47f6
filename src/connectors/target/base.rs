//! The directory that everything goes below.

use super::{FileTarget, Found, FoundKind, TargetError, tally::told};
use crate::domain::{error_code::ErrorCode, job::JobError};

/// Where a restore goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// A directory that exists, absolute and without links; empty for the root.
    pub path: Vec<u8>,
    /// What is to be made below it before anything else, relative; usually empty.
    pub below: Vec<u8>,
    /// What the target tells of `path`.
    pub found: Found,
}

impl Base {
    /// Finds out where `into` (absolute, without `..`) is. Links in it are followed: it is what the user named.
    ///
    /// # Errors
    /// `target_path_unusable` if it is no directory, or cannot be asked for.
    pub async fn resolve(target: &dyn FileTarget, into: &[u8]) -> Result<Self, JobError> {
        let mut existing: Vec<&[u8]> = into.split(|&b| b == b'/').filter(|part| !part.is_empty()).collect();
        let mut missing = Vec::new();
        let unusable = |error: TargetError| match error {
            TargetError::Over(error) => error,
            TargetError::Refused { message, .. } => unusable(target, into, &message),
        };
        loop {
            let path = absolute(&existing);
            if target.look(&path).await.map_err(unusable)?.is_some() {
                let real = target.real_path(&path).await.map_err(unusable)?;
                let found = target.look(&real).await.map_err(unusable)?;
                let directory = found.filter(|found| found.kind == FoundKind::Directory);
                let found = directory.ok_or_else(|| self::unusable(target, into, "it is no directory there"))?;
                missing.reverse();
                return Ok(Self {
                    path: if real == b"/" { Vec::new() } else { real },
                    below: missing.join(&b'/'),
                    found,
                });
            }
            match existing.pop() {
                Some(part) => missing.push(part),
                None => return Err(self::unusable(target, into, "the root directory cannot be looked at")),
            }
        }
    }

    /// The whole path of something below.
    pub fn join(&self, relative: &[u8]) -> Vec<u8> {
        if relative.is_empty() {
            return self.shown().to_vec();
        }
        [&self.path[..], relative].join(&b'/')
    }

    /// The directory that exists, as a path.
    pub fn shown(&self) -> &[u8] {
        if self.path.is_empty() { b"/" } else { &self.path }
    }

    /// Where things of the snapshot go, as a path.
    pub fn whole(&self) -> Vec<u8> {
        self.join(&self.below)
    }
}

fn absolute(parts: &[&[u8]]) -> Vec<u8> {
    let mut path = vec![b'/'];
    path.extend(parts.join(&b'/'));
    path
}

fn unusable(target: &dyn FileTarget, into: &[u8], why: &str) -> JobError {
    JobError::new(
        ErrorCode::TargetPathUnusable,
        format!("{} cannot take anything at {}: {why}", target.place(), told(into)),
        "Choose another directory to restore into.",
    )
}
