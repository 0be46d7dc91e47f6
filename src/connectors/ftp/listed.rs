//! One name in a directory, whatever form the listing had.

use crate::domain::entry::Mtime;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, with its target if the listing tells.
    Symlink(Option<Vec<u8>>),
    /// A FIFO, socket or device.
    Special,
    /// The directory itself or the one above it: nothing to capture.
    Dots,
}

/// What a listing says about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What it is.
    pub kind: Kind,
    /// Bytes of content.
    pub size: Option<u64>,
    /// Permission bits (`0o7777`).
    pub mode: Option<u32>,
    /// Numeric owner.
    pub uid: Option<u64>,
    /// Numeric group.
    pub gid: Option<u64>,
    /// Last change.
    pub mtime: Option<Mtime>,
    /// True if `mtime` is to the second and in UTC.
    pub exact: bool,
    /// What tells the same object under another path.
    pub unique: Option<Vec<u8>>,
}

/// A name and its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name, as the server sent it.
    pub name: Vec<u8>,
    /// What it says about it.
    pub facts: Facts,
}

/// A line that says nothing that could be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Senseless;

impl Facts {
    /// Nothing known but what it is.
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            size: None,
            mode: None,
            uid: None,
            gid: None,
            mtime: None,
            exact: false,
            unique: None,
        }
    }

    /// Permission bits; the usual ones where the server tells none.
    pub fn mode_or_usual(&self) -> u32 {
        self.mode.unwrap_or(match self.kind {
            Kind::Directory => 0o755,
            Kind::Symlink(_) => 0o777,
            _ => 0o644,
        })
    }
}

/// The name if a file may be called so.
pub fn checked_name(name: &[u8]) -> Result<Vec<u8>, Senseless> {
    match name.is_empty() || name.contains(&b'/') || name.contains(&0) {
        true => Err(Senseless),
        false => Ok(name.to_vec()),
    }
}

/// A decimal number that fits.
pub fn number<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}
