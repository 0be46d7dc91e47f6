//! One directory, listed to its end before anything of it is used: over FTP a listing that waits for its
//! reader is one that the server breaks off. It is kept as the lines that came.

use std::collections::BTreeMap;

use bytes::BytesMut;
use chrono::{DateTime, Utc};

use super::{
    connection::Connection,
    dos_list,
    error::FtpError,
    listed::{Facts, Kind, Listed},
    mlsd, unix_list,
};
use crate::domain::escaped::escape;

/// Longest listing of one directory, in bytes: some 300,000 names.
const MAX_LISTING: usize = 32 * 1024 * 1024;
/// What a listing is first given room for, in bytes.
const FIRST_ROOM: usize = 8 * 1024;

/// What is in a directory.
#[derive(Debug)]
pub struct Listing {
    raw: Vec<u8>,
    format: Format,
    /// What another listing knows better.
    corrections: BTreeMap<Vec<u8>, Facts>,
    now: DateTime<Utc>,
    /// The server would not list hidden files when asked to.
    pub without_hidden: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Mlsd,
    List,
}

impl Listing {
    /// Lists a directory.
    ///
    /// # Errors
    /// `Refused` if the directory cannot be read; `Limit` if there is too much in it.
    pub async fn of(connection: &mut Connection, path: &[u8], now: DateTime<Utc>) -> Result<Self, FtpError> {
        if connection.features.mlsd {
            match read(connection, path, false, "MLSD", None).await {
                Ok(raw) => return Self::completed(connection, path, raw, now).await,
                Err(FtpError::Refused(reply)) if reply.is_unsupported() => connection.features.mlsd = false,
                Err(error) => return Err(error),
            }
        }
        Self::classic(connection, path, now).await
    }

    /// `LIST` in the directory itself: as an argument, its name could be taken for options or patterns. Behind
    /// `-a` stands a dot because ProFTPD would list a file called `-a` instead.
    async fn classic(connection: &mut Connection, path: &[u8], now: DateTime<Utc>) -> Result<Self, FtpError> {
        let of = |raw: Vec<u8>, without_hidden| Self {
            raw,
            format: Format::List,
            corrections: BTreeMap::new(),
            now,
            without_hidden,
        };
        match read(connection, path, true, "LIST", Some(b"-a .")).await {
            // At least the directory itself is in it, where `-a` is understood.
            Ok(raw) if !raw.is_empty() => return Ok(of(raw, false)),
            Ok(_) => {}
            Err(FtpError::Refused(reply)) if reply.is_unsupported() || reply.code == 550 => {}
            Err(error) => return Err(error),
        }
        let plain = of(read(connection, path, true, "LIST", Some(b"")).await?, true);
        // Where names have no dots in front that hide them, nothing is missing.
        let hides = plain
            .lines()
            .any(|line| line.is_ok_and(|listed| listed.facts.mode.is_some()));
        Ok(Self {
            without_hidden: hides,
            ..plain
        })
    }

    /// What `MLSD` of ProFTPD lacks or gets wrong is in its `LIST`: where links lead, links that lead nowhere, and
    /// that a FIFO (reading which would never end) is no file. So where modes show a Unix, that is asked as well.
    async fn completed(
        connection: &mut Connection,
        path: &[u8],
        raw: Vec<u8>,
        now: DateTime<Utc>,
    ) -> Result<Self, FtpError> {
        let mut listing = Self {
            raw,
            format: Format::Mlsd,
            corrections: BTreeMap::new(),
            now,
            without_hidden: false,
        };
        let is_of_unix = |listed: Listed| listed.facts.mode.is_some() && listed.facts.kind != Kind::Dots;
        if listing.lines().any(|line| line.is_ok_and(is_of_unix)) {
            match Self::classic(connection, path, now).await {
                Ok(classic) => {
                    let special = |facts: &Facts| matches!(facts.kind, Kind::Symlink(_) | Kind::Special);
                    let special = classic.lines().flatten().filter(|listed| special(&listed.facts));
                    let mut corrections: BTreeMap<_, _> = special.map(|listed| (listed.name, listed.facts)).collect();
                    corrections.extend(listing.links_to_itself());
                    listing.corrections = corrections;
                }
                Err(FtpError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(listing)
    }

    /// Links to the directory that they are in (`www -> .`): ProFTPD leaves those out of `LIST`.
    fn links_to_itself(&self) -> Vec<(Vec<u8>, Facts)> {
        let own = self.itself().and_then(|itself| itself.facts.unique);
        let is_one = |facts: &Facts| facts.kind == Kind::Symlink(None) && own.is_some() && facts.unique == own;
        let links = self.lines().flatten().filter(|listed| is_one(&listed.facts));
        let target = || Kind::Symlink(Some(b".".to_vec()));
        links
            .map(|Listed { name, facts }| {
                (
                    name,
                    Facts {
                        kind: target(),
                        ..facts
                    },
                )
            })
            .collect()
    }

    /// Every name, or the line that makes no sense.
    pub fn lines(&self) -> impl Iterator<Item = Result<Listed, String>> {
        let lines = self.raw.split(|byte| *byte == b'\n');
        let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let corrected = |line: &Result<Listed, String>| {
            line.as_ref()
                .is_ok_and(|listed| self.corrections.contains_key(&listed.name))
        };
        let corrections = self.corrections.iter().map(|(name, facts)| {
            let (name, facts) = (name.clone(), facts.clone());
            Ok(Listed { name, facts })
        });
        lines
            .filter_map(|line| self.line(line))
            .filter(move |line| !corrected(line))
            .chain(corrections)
    }

    fn line(&self, line: &[u8]) -> Option<Result<Listed, String>> {
        if line.is_empty() {
            return None;
        }
        let parsed = match self.format {
            Format::Mlsd => mlsd::parse(line),
            // `total 12` stands above what `ls` prints.
            Format::List if line.starts_with(b"total ") => return None,
            Format::List if line[0].is_ascii_digit() => dos_list::parse(line),
            Format::List => unix_list::parse(line, self.now),
        };
        Some(parsed.map_err(|_| escape(line).chars().take(200).collect()))
    }

    /// What the listing says about the directory itself, where it has a line for it.
    pub fn itself(&self) -> Option<Listed> {
        let mut lines = self.lines().flatten();
        lines.find(|listed| listed.facts.kind == Kind::Dots && !listed.name.ends_with(b".."))
    }
}

/// Reads a listing of `path`: in it, or with it as the argument.
async fn read(
    connection: &mut Connection,
    path: &[u8],
    enter: bool,
    command: &str,
    argument: Option<&[u8]>,
) -> Result<Vec<u8>, FtpError> {
    if enter {
        connection.ask_about("CWD", path).await?.positive()?;
    }
    let mut transfer = match argument {
        Some(argument) => connection.start(command, argument, 0).await?,
        None => connection.start_about(command, path, 0).await?,
    };
    let mut raw = BytesMut::with_capacity(FIRST_ROOM);
    while transfer.read(&mut raw).await? > 0 {
        if raw.len() > MAX_LISTING {
            return Err(FtpError::Limit(format!(
                "the listing of {} is longer than {} MiB",
                escape(path),
                MAX_LISTING / 1024 / 1024
            )));
        }
        if raw.capacity() == raw.len() {
            raw.reserve(raw.len());
        }
    }
    let reply = connection.finish(transfer).await?.positive()?;
    // vsftpd lists nothing in a directory that it may not read, and calls that a success.
    match reply.says(&["failed to open"]) {
        true => Err(FtpError::Refused(reply)),
        false => Ok(raw.into()),
    }
}
