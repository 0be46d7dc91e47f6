//! The parser against real tars, and against streams no tar would write.

use std::{path::Path, process::Command};

use bytes::Bytes;
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;
use crate::domain::entry::{Entry, EntryKind, InvalidPath};

#[derive(Debug, PartialEq)]
enum Item {
    Entry(Entry, Vec<u8>),
    Special(Vec<u8>, &'static str),
    Refused(Vec<u8>, InvalidPath),
}

/// Reads a whole stream in chunks of a given size; stops after `budget` bytes of content.
fn read(stream: &[u8], chunk: usize, mut budget: usize) -> Result<Vec<Item>, TarError> {
    let mut tar = TarStream::default();
    let mut items = Vec::new();
    for piece in stream.chunks(chunk) {
        tar.feed(Bytes::copy_from_slice(piece));
        while let Some(event) = tar.next_event()? {
            match event {
                TarEvent::Entry(entry) => items.push(Item::Entry(entry, Vec::new())),
                TarEvent::Data(data) => {
                    let Some(Item::Entry(entry, content)) = items.last_mut() else {
                        panic!("data before an entry")
                    };
                    assert!(matches!(entry.kind, EntryKind::File { .. }) && data.len() <= crate::connectors::CHUNK);
                    match budget.checked_sub(data.len()) {
                        Some(left) => budget = left,
                        None => return Ok(items),
                    }
                    content.extend_from_slice(&data);
                }
                TarEvent::FileEnd => {
                    let Some(Item::Entry(entry, content)) = items.last() else {
                        panic!("an end before an entry")
                    };
                    assert_eq!(
                        entry.kind,
                        EntryKind::File {
                            size: content.len() as u64
                        }
                    );
                }
                TarEvent::Special { path, what } => items.push(Item::Special(path, what)),
                TarEvent::Refused { path, why } => items.push(Item::Refused(path, why)),
            }
        }
    }
    tar.finish().map(|()| items)
}

fn read_all(stream: &[u8]) -> Vec<Item> {
    let whole = read(stream, 1 << 20, usize::MAX).unwrap();
    for chunk in [1, 511, 513, 4096] {
        assert_eq!(read(stream, chunk, usize::MAX).unwrap(), whole, "in chunks of {chunk}");
    }
    whole
}

fn entry<'a>(items: &'a [Item], path: &[u8]) -> (&'a Entry, &'a [u8]) {
    let found = items.iter().find_map(|item| match item {
        Item::Entry(entry, content) if entry.path.as_bytes() == path => Some((entry, content.as_slice())),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no {} in {items:?}", path.escape_ascii()))
}

fn sh(dir: &Path, script: &str) -> Vec<u8> {
    let output = Command::new("sh")
        .arg("-c")
        .arg(script)
        .current_dir(dir)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{script}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// A small tree with everything that has a form of its own in tar.
fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let long = "n".repeat(120);
    sh(
        dir.path(),
        &format!(
            "mkdir -p d/empty d/{long}/{long}/{long} && printf hello > d/file && ln d/file d/hard && ln -s nowhere d/link
             printf x > d/{long}/{long}/{long}/deep && ln -s {long}/{long}/{long}/deep d/longlink
             truncate -s 3M d/sparse && printf data | dd of=d/sparse bs=1 seek=1000000 conv=notrunc 2>/dev/null
             truncate -s 1M d/hole && mkfifo d/fifo && : > d/zero && chmod 4711 d/file && touch -d @1234567890.25 d/file",
        ),
    );
    dir
}

fn check_tree(items: &[Item], hard_links: bool) {
    let long = "n".repeat(120);
    let (first, second) = match &entry(items, b"d/file").0.kind {
        EntryKind::File { .. } => (&b"d/file"[..], &b"d/hard"[..]),
        _ => (&b"d/hard"[..], &b"d/file"[..]),
    };
    let (file, content) = entry(items, first);
    assert_eq!(
        (file.mode, file.mtime.seconds, content),
        (0o4711, 1_234_567_890, &b"hello"[..])
    );
    if hard_links {
        let EntryKind::HardLink { target } = &entry(items, second).0.kind else {
            panic!("no hard link")
        };
        assert_eq!(target.as_bytes(), first);
    }
    assert_eq!(
        entry(items, b"d/link").0.kind,
        EntryKind::Symlink {
            target: b"nowhere".to_vec()
        }
    );
    assert_eq!(entry(items, b"d/empty").0.kind, EntryKind::Directory);
    assert_eq!(entry(items, b"d/zero").0.kind, EntryKind::File { size: 0 });
    assert_eq!(entry(items, format!("d/{long}/{long}/{long}/deep").as_bytes()).1, b"x");
    let target = format!("{long}/{long}/{long}/deep").into_bytes();
    assert_eq!(entry(items, b"d/longlink").0.kind, EntryKind::Symlink { target });
    let (_, sparse) = entry(items, b"d/sparse");
    assert_eq!((sparse.len(), &sparse[1_000_000..1_000_004]), (3 << 20, &b"data"[..]));
    assert_eq!(sparse.iter().filter(|&&b| b != 0).count(), 4);
    assert_eq!(entry(items, b"d/hole").1, vec![0; 1 << 20]);
    let fifo = items
        .iter()
        .any(|item| matches!(item, Item::Special(path, "a FIFO") if path == b"d/fifo"));
    assert!(fifo);
}

#[test]
fn every_tar_in_every_format_gives_the_same_tree() {
    let dir = tree();
    for command in [
        "tar -c --format=posix d",
        "tar -c --format=gnu d",
        "tar -c --format=posix --sparse d",
        "tar -c --format=posix --sparse --sparse-version=0.0 d",
        "tar -c --format=posix --sparse --sparse-version=0.1 d",
        "tar -c --format=gnu --sparse d",
        "bsdtar -c --format=pax -f - d",
        "bsdtar -c --format=gnutar -f - d",
        "busybox tar -c -f - d",
    ] {
        println!("{command}");
        let stream = sh(dir.path(), command);
        check_tree(&read(&stream, 70_000, usize::MAX).unwrap(), true);
    }
    let stream = sh(dir.path(), "tar -c --format=posix d");
    assert_eq!(entry(&read_all(&stream), b"d/file").0.mtime.nanos, 250_000_000);
}

#[test]
fn a_sparse_map_of_many_parts_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    sh(
        dir.path(),
        "i=0; while [ $i -lt 200 ]; do printf $i | dd of=f bs=1 seek=$((i * 16384)) conv=notrunc 2>/dev/null; i=$((i+1)); done",
    );
    let expected = std::fs::read(dir.path().join("f")).unwrap();
    for format in [
        "posix --sparse-version=1.0",
        "posix --sparse-version=0.0",
        "posix --sparse-version=0.1",
        "gnu",
    ] {
        let stream = sh(dir.path(), &format!("tar -c --sparse --format={format} f"));
        assert!(stream.len() < 2 << 20, "not sparse: {}", stream.len());
        assert_eq!(
            entry(&read(&stream, 10_000, usize::MAX).unwrap(), b"f").1,
            expected,
            "{format}"
        );
    }
}

#[test]
fn ustar_and_v7_and_extended_attributes() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = ("a".repeat(90), "b".repeat(90));
    sh(
        dir.path(),
        &format!("mkdir -p {a}/{b} && printf 1 > {a}/{b}/f && printf 2 > short && mkdir sub"),
    );
    let items = read_all(&sh(dir.path(), &format!("tar -c --format=ustar {a}")));
    assert_eq!(entry(&items, format!("{a}/{b}/f").as_bytes()).1, b"1");
    let items = read_all(&sh(dir.path(), "tar -c --format=v7 short sub"));
    assert_eq!(entry(&items, b"sub").0.kind, EntryKind::Directory);
    let stream = sh(
        dir.path(),
        "tar -c --format=posix --pax-option=SCHILY.xattr.user.x:=v --pax-option=globexthdr.name=g,comment=c short",
    );
    let wanted = vec![("SCHILY.xattr.user.x".to_owned(), b"v".to_vec())];
    assert_eq!(entry(&read_all(&stream), b"short").0.pax, wanted);
}

/// A header block with the fields given, checksummed.
fn header(name: &[u8], typeflag: u8, size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_entry_type(tar::EntryType::new(typeflag));
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn with_body(mut head: Vec<u8>, body: &[u8]) -> Vec<u8> {
    head.extend_from_slice(body);
    head.resize(head.len().next_multiple_of(512), 0);
    head
}

fn ended(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = parts.concat();
    stream.resize(stream.len() + 1024, 0);
    stream
}

#[test]
fn names_that_escape_are_refused_and_their_data_skipped() {
    let stream = ended(&[
        with_body(header(b"../evil", b'0', 700), &[b'x'; 700]),
        header(b"a/../../evil", b'2', 0),
        with_body(header(b"good", b'0', 2), b"ok"),
    ]);
    let items = read_all(&stream);
    assert_eq!(items[0], Item::Refused(b"../evil".to_vec(), InvalidPath::Escapes));
    assert!(matches!(items[1], Item::Refused(..)));
    assert_eq!(entry(&items, b"good").1, b"ok");
}

#[test]
fn absurd_sizes_are_limits() {
    for size in [1 << 63, u64::MAX, (16 << 40) + 1] {
        let result = read(&ended(&[header(b"f", b'0', size)]), 512, 0);
        assert!(matches!(result, Err(TarError::Limit(_))), "{size}: {result:?}");
    }
    let pax = b"28 size=9223372036854775808\n";
    let stream = ended(&[
        with_body(header(b"x", b'x', pax.len() as u64), pax),
        header(b"f", b'0', 0),
    ]);
    assert!(matches!(read(&stream, 512, 0), Err(TarError::Limit(_))));
    for kind in [b'x', b'g', b'L', b'K'] {
        let stream = header(b"x", kind, MAX_PAX + 1);
        assert!(matches!(read(&stream, 512, 0), Err(TarError::Limit(_))));
    }
    // Many small ones are no way around the cap.
    let one = with_body(header(b"x", b'x', 1 << 20), &vec![0; 1 << 20]);
    assert!(matches!(
        read(
            &[one.clone(), one.clone(), one.clone(), one.clone(), one].concat(),
            4096,
            0
        ),
        Err(TarError::Limit(_))
    ));
}

#[test]
fn a_stream_cut_anywhere_is_noticed() {
    let dir = tree();
    let stream = sh(dir.path(), "tar -c -b1 --format=posix --sparse d");
    read(&stream, 512, usize::MAX).unwrap();
    for end in (0..stream.len() - 512).step_by(256) {
        let result = read(&stream[..end], 1 << 20, usize::MAX);
        assert!(
            matches!(result, Err(TarError::Truncated(_))),
            "cut at {end}: {result:?}"
        );
    }
    let mut damaged = stream.clone();
    damaged[3] ^= 1;
    assert!(matches!(read(&damaged, 512, usize::MAX), Err(TarError::Damaged(_))));
}

/// Random damage, with checksums repaired so that it reaches the depths of the parser.
#[test]
fn damage_never_panics() {
    let dir = tree();
    let mut streams = Vec::new();
    for command in [
        "tar -c --format=posix --sparse --pax-option=SCHILY.xattr.user.x:=v d",
        "tar -c --format=posix --sparse --sparse-version=0.0 d",
        "tar -c --format=posix --sparse --sparse-version=0.1 d",
        "tar -c --format=gnu --sparse d",
        "bsdtar -c --format=pax -f - d",
    ] {
        streams.push(sh(dir.path(), command));
    }
    let mut random = StdRng::seed_from_u64(7);
    for round in 0..4000 {
        let mut stream = streams[round % streams.len()].clone();
        for _ in 0..random.random_range(1..6) {
            let block = random.random_range(0..stream.len().min(80 * 512) / 512) * 512;
            let at = block + random.random_range(0..512);
            match random.random_range(0..4) {
                0 => stream[at] = random.random(),
                1 => stream[at] = b'0' + random.random_range(0..10),
                2 => stream[at] ^= 1 << random.random_range(0..8),
                _ => {
                    let length = random.random_range(1..13).min(block + 512 - at);
                    stream[at..at + length].fill([0, 0xff, b'7', 0x80][random.random_range(0..4)]);
                }
            }
            let mut sum = tar::Header::new_ustar();
            sum.as_mut_bytes().copy_from_slice(&stream[block..block + 512]);
            sum.set_cksum();
            stream[block..block + 512].copy_from_slice(sum.as_bytes());
        }
        let chunk = random.random_range(1..5000);
        let _ = read(&stream, chunk, 8 << 20);
    }
}
