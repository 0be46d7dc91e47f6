//! The JSON of a line. One flat struct for all types of lines: it parses without buffering, and
//! keys a reader does not know are skipped.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{Content, FORMAT, Item, Record, Stream};
use crate::{
    artifact::{
        Counts,
        frames::seal::hex,
        manifest::{Sizes, VERSION},
    },
    domain::entry::{Entry, EntryKind, EntryPath, Mtime, Problem, ProblemKind},
};

const MISSING: &str = "an entry lacks a field";

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    format: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    snapshot_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    path_b64: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    target: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    target_b64: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mode: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gid: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mtime: Option<i64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    mtime_nanos: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parts: Option<u32>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    blake3: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<Content>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    captured: Option<u64>,
    #[serde(rename = "kind", default, skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemKind>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counts: Option<Counts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sizes: Option<Sizes>,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// Bytes as text if they are UTF-8, else as base64.
fn text_or_b64(bytes: &[u8]) -> (Option<Cow<'_, str>>, Option<Cow<'_, str>>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(Cow::Borrowed(text)), None),
        Err(_) => (None, Some(Cow::Owned(STANDARD.encode(bytes)))),
    }
}

fn bytes_of(text: Option<Cow<'_, str>>, b64: Option<Cow<'_, str>>) -> Option<Vec<u8>> {
    match (text, b64) {
        (Some(text), None) => Some(text.into_owned().into_bytes()),
        (None, Some(b64)) => STANDARD.decode(b64.as_bytes()).ok(),
        _ => None,
    }
}

impl<'a> Line<'a> {
    pub(super) fn header(snapshot_id: &'a str) -> Self {
        Self {
            kind: "header".into(),
            format: Some(FORMAT.into()),
            version: Some(VERSION),
            snapshot_id: Some(snapshot_id.into()),
            ..Self::default()
        }
    }

    pub(super) fn entry(record: &'a Record) -> Self {
        Self {
            offset: Some(record.offset),
            length: Some(record.length),
            part: record.part,
            blake3: record.blake3.map(|hash| hex(&hash).into()),
            content: record.content,
            captured: record.captured,
            ..Self::described(&record.entry)
        }
    }

    pub(super) fn stream(stream: &'a Stream) -> Self {
        Self {
            kind: "stream".into(),
            parts: Some(stream.parts),
            blake3: Some(hex(&stream.blake3).into()),
            ..Self::described(&stream.entry)
        }
    }

    fn described(entry: &'a Entry) -> Self {
        let (kind, size, target) = match &entry.kind {
            EntryKind::File { size } => ("file", Some(*size), None),
            EntryKind::Directory => ("directory", None, None),
            EntryKind::Symlink { target } => ("symlink", None, Some(target.as_slice())),
            EntryKind::HardLink { target } => ("hardlink", None, Some(target.as_bytes())),
        };
        let (path, path_b64) = text_or_b64(entry.path.as_bytes());
        let (target, target_b64) = target.map(text_or_b64).unwrap_or_default();
        Self {
            kind: kind.into(),
            path,
            path_b64,
            target,
            target_b64,
            size,
            mode: Some(entry.mode),
            uid: Some(entry.uid),
            gid: Some(entry.gid),
            mtime: Some(entry.mtime.seconds),
            mtime_nanos: entry.mtime.nanos,
            ..Self::default()
        }
    }

    pub(super) fn problem(problem: &'a Problem) -> Self {
        Self {
            kind: "problem".into(),
            problem: Some(problem.kind),
            path: Some(problem.path.as_str().into()),
            message: Some(problem.message.as_str().into()),
            ..Self::default()
        }
    }

    pub(super) fn trailer(counts: Counts, sizes: Sizes) -> Self {
        Self {
            kind: "trailer".into(),
            counts: Some(counts),
            sizes: Some(sizes),
            ..Self::default()
        }
    }

    /// The version a header names; `None` if it is none.
    pub(super) fn version(&self) -> Option<u32> {
        let header = self.kind == "header" && self.format.as_deref() == Some(FORMAT);
        self.version.filter(|_| header)
    }

    /// What the line says: `Ok(None)` for types of lines this version does not know.
    pub(super) fn into_item(self) -> Result<Option<Item>, &'static str> {
        Ok(Some(match self.kind.as_ref() {
            "file" | "directory" | "symlink" | "hardlink" => Item::Entry(self.into_record()?),
            "stream" => Item::Stream(self.into_stream()?),
            "problem" => Item::Problem(Problem {
                kind: self.problem.unwrap_or(ProblemKind::Note),
                path: self.path.unwrap_or_default().into_owned(),
                message: self.message.unwrap_or_default().into_owned(),
            }),
            "trailer" => match (self.counts, self.sizes) {
                (Some(counts), Some(sizes)) => Item::Trailer(counts, sizes),
                _ => return Err("its trailer lacks the counts"),
            },
            _ => return Ok(None),
        }))
    }

    fn into_record(self) -> Result<Record, &'static str> {
        let (offset, length, part) = (self.offset, self.length, self.part);
        let (content, captured) = (self.content, self.captured);
        let (entry, blake3) = self.into_entry()?;
        if part.is_some() && !matches!(entry.kind, EntryKind::File { .. }) {
            return Err("a part is no file");
        }
        Ok(Record {
            entry,
            offset: offset.ok_or(MISSING)?,
            length: length.ok_or(MISSING)?,
            part,
            blake3,
            content,
            captured,
        })
    }

    fn into_stream(self) -> Result<Stream, &'static str> {
        let parts = self.parts.ok_or(MISSING)?;
        let (entry, blake3) = self.into_entry()?;
        let blake3 = blake3.ok_or(MISSING)?;
        Ok(Stream { entry, parts, blake3 })
    }

    /// The entry, and the hash of its content.
    fn into_entry(self) -> Result<(Entry, Option<[u8; 32]>), &'static str> {
        let raw = bytes_of(self.path, self.path_b64).ok_or("an entry has no path")?;
        let target = bytes_of(self.target, self.target_b64);
        let kind = match self.kind.as_ref() {
            "file" | "stream" => EntryKind::File {
                size: self.size.ok_or(MISSING)?,
            },
            "directory" => EntryKind::Directory,
            "symlink" => EntryKind::Symlink {
                target: target.ok_or(MISSING)?,
            },
            _ => EntryKind::HardLink {
                target: path(&target.ok_or(MISSING)?)?,
            },
        };
        let blake3 = self
            .blake3
            .map(|text| unhex(&text).ok_or("a hash is no hash"))
            .transpose()?;
        if blake3.is_some() != matches!(kind, EntryKind::File { .. }) {
            return Err("an entry's hash is missing, or is one too many");
        }
        if self.mtime_nanos >= 1_000_000_000 {
            return Err("an entry's mtime makes no sense");
        }
        let entry = Entry {
            path: path(&raw)?,
            kind,
            mode: self.mode.ok_or(MISSING)?,
            uid: self.uid.ok_or(MISSING)?,
            gid: self.gid.ok_or(MISSING)?,
            mtime: Mtime {
                seconds: self.mtime.ok_or(MISSING)?,
                nanos: self.mtime_nanos,
            },
            pax: Vec::new(),
        };
        Ok((entry, blake3))
    }
}

fn path(raw: &[u8]) -> Result<EntryPath, &'static str> {
    let path = EntryPath::new(raw).map_err(|_| "an entry's path leads outside")?;
    if path.as_bytes() == raw {
        Ok(path)
    } else {
        Err("an entry's path is not in its plain form")
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |b: u8| (b as char).to_digit(16);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(hash)
}
