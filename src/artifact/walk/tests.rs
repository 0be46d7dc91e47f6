//! Parts that do not make what the index says they make. No writer of ours would list them so.

use std::fs::File;

use super::{Nothing, Visitor, Walk, stream_sizes};
use crate::{
    artifact::{
        Counts, Gauge,
        fault::Fault,
        frames::{pipeline::Pipeline, read::FrameReader, seal::Seal},
        index::{Record, Stream, read::IndexReader, write::IndexWriter},
        manifest::Sizes,
        tar::{END, encode, padding},
    },
    crypto::age_keys::{TenantIdentity, parse_recipient, unwrap_file_key},
    domain::{
        entry::{Entry, EntryKind, EntryPath, Mtime},
        snapshot::ArtifactFile,
    },
};

/// A line of the index; what is a file stands in the tar too.
enum Line {
    File(&'static str, &'static str, Option<u32>),
    Stream(&'static str, u32, &'static str),
}
use Line::{File as F, Stream as S};

fn entry(path: &str, size: usize) -> Entry {
    Entry {
        path: EntryPath::new(path.as_bytes()).unwrap(),
        kind: EntryKind::File { size: size as u64 },
        mode: 0o600,
        uid: 0,
        gid: 0,
        mtime: Mtime::default(),
        pax: Vec::new(),
    }
}

/// Collects what a visitor sees.
#[derive(Default)]
struct Seen(Vec<(String, Vec<u8>)>);

impl Visitor for Seen {
    fn begin(&mut self, _: &Record, entry: Entry, _: &[u8]) -> Result<(), Fault> {
        self.0.push((entry.path.to_string(), Vec::new()));
        Ok(())
    }
    fn data(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.0.last_mut().unwrap().1.extend_from_slice(bytes);
        Ok(())
    }
    fn end(&mut self, _: &[u8]) -> Result<(), Fault> {
        Ok(())
    }
}

/// Walks an artifact of these lines; gives the fault's words.
fn walk(lines: &[Line], visitor: &mut dyn Visitor) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let identity = TenantIdentity::generate();
    let recipient = parse_recipient(&identity.recipient()).unwrap();
    let place = |name: &str| dir.path().join(name);
    let seal = |name: &str| {
        Seal::new(
            Box::new(File::create(place(name)).unwrap()),
            std::slice::from_ref(&recipient),
        )
        .unwrap()
    };
    let mut tar = Pipeline::start(seal("tar"), 1).unwrap();
    let mut index = IndexWriter::start(seal("index"), "snp_forged").unwrap();
    let (mut counts, mut sizes) = (Counts::default(), Sizes::default());
    for line in lines {
        match *line {
            F(path, content, part) => {
                let entry = entry(path, content.len());
                let mut blocks = Vec::new();
                encode::head(&entry, &mut blocks);
                blocks.extend_from_slice(content.as_bytes());
                blocks.resize(blocks.len() + padding(content.len() as u64) as usize, 0);
                let record = Record {
                    entry,
                    offset: tar.position(),
                    length: blocks.len() as u64,
                    part,
                    blake3: Some(*blake3::hash(content.as_bytes()).as_bytes()),
                    content: None,
                    captured: None,
                };
                tar.write_all(&blocks).unwrap();
                index.entry(&record).unwrap();
                counts.files += u64::from(part.is_none());
                sizes.content += content.len() as u64;
            }
            S(path, parts, content) => {
                let stream = Stream {
                    entry: entry(path, content.len()),
                    parts,
                    blake3: *blake3::hash(content.as_bytes()).as_bytes(),
                };
                index.stream(&stream).unwrap();
                counts.files += 1;
                counts.streams += 1;
            }
        }
    }
    tar.write_all(&END).unwrap();
    sizes.tar = tar.position();
    let key = |header: &[u8]| unwrap_file_key(&identity, header).unwrap();
    let tar = key(&tar.finish().unwrap().header);
    let index = key(&index.finish(counts, sizes).unwrap().header);

    let open = |name: &str| Box::new(File::open(place(name)).unwrap());
    let words = |fault: Fault| fault.to_string();
    let streams = stream_sizes(&mut IndexReader::open(open("index"), &index).map_err(words)?).map_err(words)?;
    let frames = FrameReader::open(open("tar"), &tar, super::Place(ArtifactFile::Backup)).map_err(words)?;
    let gauge = Gauge::new();
    let mut index = IndexReader::open(open("index"), &index).map_err(words)?;
    let walked = Walk::new(frames, &gauge, streams).whole(&mut index, visitor);
    walked.map(drop).map_err(words)
}

const FIRST: Line = F("x.part000001", "ab", Some(1));
const SECOND: Line = F("x.part000002", "c", Some(2));

#[test]
fn parts_in_order_are_one_file() {
    let mut seen = Seen::default();
    walk(
        &[FIRST, SECOND, S("x", 2, "abc"), F("x.part000003", "d", None)],
        &mut seen,
    )
    .unwrap();
    let expected = [("x", "abc"), ("x.part000003", "d")].map(|(path, content)| (path.to_owned(), content.into()));
    assert_eq!(seen.0, expected);
}

#[test]
fn parts_that_make_something_else_are_damage() {
    let third = || F("x.part000003", "c", Some(3));
    for (lines, told) in [
        (
            vec![SECOND, FIRST, S("x", 2, "cab")],
            "/x.part000002: is a part without the ones before it",
        ),
        (
            vec![FIRST, third(), S("x", 3, "abc")],
            "/x.part000003: is not the part that should come here",
        ),
        (vec![FIRST, FIRST, S("x", 2, "abab")], "/x.part000001: is not the part"),
        (
            vec![FIRST, F("y.part000002", "c", Some(2)), S("x", 2, "abc")],
            "/y.part000002: is not the part",
        ),
        (
            vec![FIRST, F("y", "y", None), SECOND, S("x", 2, "abc")],
            "/x: has parts and then something else",
        ),
        (
            vec![FIRST, SECOND, F("y", "y", None), S("x", 2, "abc")],
            "/x: has parts and then something else",
        ),
        (
            vec![FIRST, SECOND, S("x", 3, "abc")],
            "/x: is not what the parts before it make",
        ),
        (
            vec![FIRST, SECOND, S("y", 2, "abc")],
            "/y: is not what the parts before it make",
        ),
        (
            vec![FIRST, SECOND, S("x", 2, "abcd")],
            "/x: has a size that its parts do not sum up to",
        ),
        (
            vec![FIRST, SECOND, S("x", 2, "ab")],
            "/x: has more in its parts than its size",
        ),
        (
            vec![FIRST, SECOND, S("x", 2, "abd")],
            "/x: does not have the content it had",
        ),
        (
            vec![FIRST, SECOND],
            "/x.part000001: is a part of nothing that is counted",
        ),
        (vec![S("x", 0, "")], "/x: has no parts"),
        (
            vec![FIRST, S("x", 1, "ab"), SECOND, S("y", 1, "c")],
            "/x.part000002: is a part without",
        ),
    ] {
        let said = walk(&lines, &mut Nothing).unwrap_err();
        assert!(said.contains(told), "{said} instead of {told}");
    }
}
