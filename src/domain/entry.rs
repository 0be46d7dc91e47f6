//! What a source contains, as a connector hands it over and the artifact stores it.
//!
//! Names are bytes: real servers hold names that are not UTF-8. An [`EntryPath`] can only be made
//! from a name that stays below the root it is restored to (promise 8).

use std::fmt;

/// Longest path accepted from a source, in bytes. Linux's PATH_MAX is 4,096; other systems allow
/// more, and nothing sane needs this much.
pub const MAX_PATH: usize = 32 * 1024;

/// Why a name from a source was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// Nothing is left after leading and doubled slashes are removed.
    #[error("the path is empty")]
    Empty,
    /// A `..` component would leave the root.
    #[error("the path has a `..` component")]
    Escapes,
    /// A NUL byte cannot be part of a file name.
    #[error("the path has a NUL byte")]
    Nul,
    /// Longer than [`MAX_PATH`].
    #[error("the path is longer than {MAX_PATH} bytes")]
    TooLong,
}

/// A relative path of raw bytes without `.`, `..`, NUL, empty components, or slashes at its ends.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryPath(Vec<u8>);

impl EntryPath {
    /// Cleans and checks a name: leading slashes, `.` and doubled slashes go, `..` is refused.
    pub fn new(raw: &[u8]) -> Result<Self, InvalidPath> {
        if raw.len() > MAX_PATH {
            return Err(InvalidPath::TooLong);
        }
        if raw.contains(&0) {
            return Err(InvalidPath::Nul);
        }
        let mut clean = Vec::with_capacity(raw.len());
        for part in raw.split(|&b| b == b'/') {
            match part {
                b"" | b"." => continue,
                b".." => return Err(InvalidPath::Escapes),
                _ => {
                    if !clean.is_empty() {
                        clean.push(b'/');
                    }
                    clean.extend_from_slice(part);
                }
            }
        }
        if clean.is_empty() {
            Err(InvalidPath::Empty)
        } else {
            Ok(Self(clean))
        }
    }

    /// The path's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// True if `self` is `other` or lies below it.
    pub fn is_within(&self, other: &EntryPath) -> bool {
        self.0
            .strip_prefix(other.0.as_slice())
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// A modification time as precise as the transport gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Mtime {
    /// Whole seconds since 1970-01-01T00:00:00Z; negative before it.
    pub seconds: i64,
    /// Nanoseconds after `seconds`, below 1,000,000,000.
    pub nanos: u32,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file of the announced size in bytes; its data follows.
    File {
        /// Announced length. The data may turn out shorter or longer; the artifact pads or cuts.
        size: u64,
    },
    /// A directory.
    Directory,
    /// A symbolic link with its raw target, which is stored and never followed.
    Symlink {
        /// Where it points, as bytes.
        target: Vec<u8>,
    },
    /// Another name of a file that came earlier in the same capture.
    HardLink {
        /// The earlier name.
        target: EntryPath,
    },
}

/// One thing found on a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it lies, relative to the source's root.
    pub path: EntryPath,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits with set-id and sticky (`0o7777`), no type bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u64,
    /// Numeric group.
    pub gid: u64,
    /// Last change of the content.
    pub mtime: Mtime,
    /// Extended attributes and ACLs as PAX records (`SCHILY.xattr.*`, `SCHILY.acl.*`): key, value.
    pub pax: Vec<(String, Vec<u8>)>,
}

/// How the data of a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileEnd {
    /// All announced bytes came.
    Complete,
    /// The file changed while it was read: its content here may mix two states.
    Changed,
    /// Reading failed part-way; what is missing is stored as zeros and the file counts as unread.
    Unreadable,
}

/// What a problem with one path means for the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// Changed while it was read: a warning.
    Changed,
    /// Vanished between listing and reading: a warning.
    Vanished,
    /// A FIFO, socket or device: skipped and counted, a warning.
    SpecialSkipped,
    /// The server's name for it is unusable (`..`, NUL, too long): skipped, makes the backup partial.
    NameRefused,
    /// Could not be read: makes the backup partial.
    Unreadable,
    /// Could not be written to the server that it was restored to: makes the restore partial.
    NotWritten,
    /// Anything else worth telling: a warning.
    Note,
}

impl ProblemKind {
    /// The stable text form, as in an artifact's index.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Vanished => "vanished",
            Self::SpecialSkipped => "special_skipped",
            Self::NameRefused => "name_refused",
            Self::Unreadable => "unreadable",
            Self::NotWritten => "not_written",
            Self::Note => "note",
        }
    }

    /// True if a backup or restore with such a problem misses something it was asked for.
    pub fn makes_partial(self) -> bool {
        matches!(self, Self::Unreadable | Self::NameRefused | Self::NotWritten)
    }
}

/// Something about one path that the user should know.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// What it means.
    pub kind: ProblemKind,
    /// The path as the source names it; bytes that are not UTF-8 are escaped (`\xff`).
    pub path: String,
    /// What happened, one sentence.
    pub message: String,
}

/// What a connector sends while it captures. After an [`EntryKind::File`] and after a `Stream` come any
/// number of `Data` and exactly one `End`; no other item stands between them.
#[derive(Debug)]
pub enum Captured {
    /// The next thing found.
    Entry(Entry),
    /// A file that is made on the way and whose size nobody knows beforehand: a dump. It belongs to root,
    /// has mode 0600 and the time at which the backup began. Only [`FileEnd::Complete`] may end it:
    /// half a dump is none, so any other end fails the backup.
    Stream(EntryPath),
    /// More of the file announced last.
    Data(bytes::Bytes),
    /// The file announced last is over.
    End(FileEnd),
    /// Something the user should know.
    Problem(Problem),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        assert_eq!(EntryPath::new(b"//srv/./www//x/").unwrap().as_bytes(), b"srv/www/x");
        assert_eq!(EntryPath::new(b"-rf\n\xff").unwrap().as_bytes(), b"-rf\n\xff");
    }

    #[test]
    fn paths_that_escape_are_refused() {
        assert_eq!(EntryPath::new(b"a/../../etc"), Err(InvalidPath::Escapes));
        assert_eq!(EntryPath::new(b"a\0b"), Err(InvalidPath::Nul));
        assert_eq!(EntryPath::new(b"/./"), Err(InvalidPath::Empty));
        assert_eq!(EntryPath::new(&[b'a'; MAX_PATH + 1]), Err(InvalidPath::TooLong));
    }

    #[test]
    fn within_respects_component_borders() {
        let path = |p: &str| EntryPath::new(p.as_bytes()).unwrap();
        assert!(path("a/b").is_within(&path("a")));
        assert!(path("a").is_within(&path("a")));
        assert!(!path("ab").is_within(&path("a")));
    }
}
