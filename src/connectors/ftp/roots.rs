//! Finds out where the configured paths are and what, before anything is read.

use super::{
    connection::Connection,
    error::FtpError,
    listed::{Facts, Kind, number},
    listing::Listing,
    source::FtpSource,
};
use crate::{
    connectors::roots::{PSEUDO, absolute},
    domain::{error_code::ErrorCode, escaped::escape, job::JobError},
};

/// A configured path as the server shows it.
#[derive(Debug, Clone)]
pub struct Found {
    /// As configured.
    pub given: String,
    /// Absolute.
    pub path: Vec<u8>,
    /// What it is.
    pub facts: Facts,
    /// True if it is the `/` of a whole system, not of an account that is shut into its own directory.
    pub is_system: bool,
}

/// The directory that a login begins in.
///
/// # Errors
/// `Protocol` if the server names none.
pub async fn login_dir(connection: &mut Connection) -> Result<Vec<u8>, FtpError> {
    let reply = connection.ask("PWD", b"").await?.positive()?;
    let path = quoted(reply.last()).filter(|path| path.starts_with(b"/") && !path.contains(&0));
    path.ok_or_else(|| FtpError::Protocol(format!("it does not name the login directory: {reply}")))
}

/// `257 "/a ""quoted"" name" is the current directory`
fn quoted(text: &[u8]) -> Option<Vec<u8>> {
    let mut rest = text.strip_prefix(b"\"")?;
    let mut path = Vec::new();
    loop {
        let quote = rest.iter().position(|byte| *byte == b'"')?;
        path.extend_from_slice(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix(b"\"") {
            None => return Some(path),
            Some(after) => {
                path.push(b'"');
                rest = after;
            }
        }
    }
}

/// Finds one configured path and makes sure that it can be read.
///
/// # Errors
/// `path_not_found` or `permission_denied`, naming the path.
pub async fn find(
    connection: &mut Connection,
    source: &FtpSource,
    given: &str,
    login_dir: &[u8],
) -> Result<Found, FtpError> {
    let path = absolute(given, login_dir);
    let place = source.place();
    let found = |facts, is_system| Found {
        given: given.to_owned(),
        path: path.clone(),
        facts,
        is_system,
    };
    let entered = connection.ask_about("CWD", &path).await?;
    if entered.is_positive() {
        return match Listing::of(connection, &path, source.now).await {
            Ok(listing) => Ok(found(
                Facts::of(Kind::Directory),
                path == b"/" && is_of_system(&listing),
            )),
            Err(FtpError::Refused(reply)) => Err(denied(&place, &path, &reply.to_string())),
            Err(error) => Err(error),
        };
    }
    let size = connection.ask_about("SIZE", &path).await?;
    let listed = match Listing::of(connection, parent(&path), source.now).await {
        Ok(listing) => listing
            .lines()
            .flatten()
            .find(|listed| path.ends_with(&[b"/", &listed.name[..]].concat())),
        Err(FtpError::Refused(_)) => None,
        Err(error) => return Err(error),
    };
    let size = number(size.last()).filter(|_| size.code == 213);
    match (listed.map(|listed| listed.facts), size) {
        (Some(facts), _) if facts.kind == Kind::Directory => Err(denied(&place, &path, &entered.to_string())),
        // A link that can be read is followed if it was asked for by name.
        (Some(facts), Some(_)) if matches!(facts.kind, Kind::Symlink(_)) => Ok(found(of_size(size), false)),
        (Some(facts), _) => Ok(found(facts, false)),
        (None, Some(_)) => Ok(found(of_size(size), false)),
        (None, None) => Err(FtpError::Stopped(JobError::new(
            ErrorCode::PathNotFound,
            format!("{} does not exist on {place}: {entered}", escape(&path)),
            "Correct the source's paths. An account that is shut into its directory sees that one as /.",
        ))),
    }
}

fn of_size(size: Option<u64>) -> Facts {
    Facts {
        size,
        ..Facts::of(Kind::File)
    }
}

/// The directory that something lies in.
pub fn parent(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    &path[..slash.max(1)]
}

fn is_of_system(listing: &Listing) -> bool {
    let is_there = |wanted: &&[u8]| {
        let mut lines = listing.lines().flatten();
        lines.any(|listed| wanted.strip_prefix(b"/") == Some(&listed.name))
    };
    PSEUDO.iter().all(is_there)
}

fn denied(place: &str, path: &[u8], said: &str) -> FtpError {
    FtpError::Stopped(JobError::new(
        ErrorCode::PermissionDenied,
        format!("the account on {place} may not read {}: {said}", escape(path)),
        "Grant the login read access, or use another account.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_paths() {
        assert_eq!(quoted(b"\"/\" is current directory.").as_deref(), Some(&b"/"[..]));
        assert_eq!(quoted(b"\"/a \"\"b\"\" c\"").as_deref(), Some(&b"/a \"b\" c"[..]));
        assert_eq!(quoted(b"/a"), None);
        assert_eq!(quoted(b"\"/a"), None);
    }
}
