//! The JSON of a line. One flat struct for all types of lines: it parses without buffering, and
//! keys a reader does not know are skipped.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{Content, FORMAT, Item, Record};
use crate::{
    artifact::{
        Counts,
        frames::seal::hex,
        manifest::{Sizes, VERSION},
    },
    domain::entry::{Entry, EntryKind, EntryPath, Mtime, Problem, ProblemKind},
};

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
        let entry = &record.entry;
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
            offset: Some(record.offset),
            length: Some(record.length),
            blake3: record.blake3.map(|hash| hex(&hash).into()),
            content: record.content,
            captured: record.captured,
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
        let missing = "an entry lacks a field";
        let raw = bytes_of(self.path, self.path_b64).ok_or("an entry has no path")?;
        let target = bytes_of(self.target, self.target_b64);
        let kind = match self.kind.as_ref() {
            "file" => EntryKind::File {
                size: self.size.ok_or(missing)?,
            },
            "directory" => EntryKind::Directory,
            "symlink" => EntryKind::Symlink {
                target: target.ok_or(missing)?,
            },
            _ => EntryKind::HardLink {
                target: path(&target.ok_or(missing)?)?,
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
        Ok(Record {
            entry: Entry {
                path: path(&raw)?,
                kind,
                mode: self.mode.ok_or(missing)?,
                uid: self.uid.ok_or(missing)?,
                gid: self.gid.ok_or(missing)?,
                mtime: Mtime {
                    seconds: self.mtime.ok_or(missing)?,
                    nanos: self.mtime_nanos,
                },
                pax: Vec::new(),
            },
            offset: self.offset.ok_or(missing)?,
            length: self.length.ok_or(missing)?,
            blake3,
            content: self.content,
            captured: self.captured,
        })
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
