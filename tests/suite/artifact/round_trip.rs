//! What goes in comes out: through stock tools and through our own reader.

use std::{
    ffi::OsStr,
    fs,
    io::Read,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use xvault::{
    artifact::{Expected, Gauge, Stored, verify},
    domain::{
        entry::{Captured, EntryKind, FileEnd, Mtime},
        snapshot::{ArtifactFile, SnapshotState},
    },
};

use super::fixture::{Bench, directory, entry, file, file_of, hard_link, noise, symlink, unpack};

/// Names that break careless code, each with its own content.
fn nasty_names() -> Vec<Vec<u8>> {
    let long = |unit: &[u8]| [&b"deep/"[..], &unit.repeat(120), b"/", &unit.repeat(120)].concat();
    vec![
        b"plain".to_vec(),
        b"-rf".to_vec(),
        b" leading and trailing ".to_vec(),
        b"new\nline".to_vec(),
        b"back\\slash".to_vec(),
        "\u{fc}n\u{ef}c\u{f6}de \u{1f980}".as_bytes().to_vec(),
        b"latin1 \xfc\xff".to_vec(),
        b"n".repeat(255),
        long(b"a"),
        long("\u{e4}".as_bytes()),
        long(b"\xff"),
        // Exactly what ustar can hold, and one more.
        [&b"p".repeat(155)[..], b"/", &b"q".repeat(100)].concat(),
        [&b"p".repeat(155)[..], b"/", &b"q".repeat(101)].concat(),
    ]
}

fn tree() -> Vec<Captured> {
    let mut items = vec![directory("top"), directory("top/empty")];
    for (number, name) in nasty_names().into_iter().enumerate() {
        items.extend(file(
            [b"top/".as_slice(), &name].concat(),
            format!("content {number}").as_bytes(),
        ));
        items.push(symlink(format!("top/link{number}"), &name));
    }
    items.extend(file("top/zero", b""));
    items.extend(file("top/big", &noise(1, 5_000_000)));
    items.extend(file("top/block", &noise(2, 512)));
    items.push(hard_link("top/hard", "top/big"));
    items.push(symlink("top/dangling", b"../../nowhere"));
    let mut special = entry("top/special", EntryKind::File { size: 3 });
    special.mode = 0o4751;
    special.uid = 3_000_000;
    special.gid = 12;
    special.mtime = Mtime {
        seconds: 1_700_000_001,
        nanos: 123_456_789,
    };
    items.extend(file_of(special, b"abc", FileEnd::Complete));
    items
}

fn check_tree(root: &Path, owners: bool) {
    let top = root.join("top");
    for (number, name) in nasty_names().into_iter().enumerate() {
        let path = top.join(OsStr::from_bytes(&name));
        let content = fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert_eq!(content, format!("content {number}").into_bytes(), "{path:?}");
        let link = fs::read_link(top.join(format!("link{number}"))).unwrap();
        assert_eq!(link.as_os_str().as_bytes(), name);
    }
    assert!(top.join("empty").is_dir());
    assert_eq!(fs::read(top.join("zero")).unwrap(), b"");
    assert_eq!(fs::read(top.join("big")).unwrap(), noise(1, 5_000_000));
    assert_eq!(fs::read(top.join("block")).unwrap(), noise(2, 512));
    assert_eq!(
        fs::metadata(top.join("hard")).unwrap().ino(),
        fs::metadata(top.join("big")).unwrap().ino()
    );
    assert_eq!(fs::read_link(top.join("dangling")).unwrap(), Path::new("../../nowhere"));
    let special = fs::metadata(top.join("special")).unwrap();
    assert_eq!(special.mode() & 0o7777, 0o4751);
    assert_eq!((special.mtime(), special.mtime_nsec()), (1_700_000_001, 123_456_789));
    if owners {
        assert_eq!((special.uid(), special.gid()), (3_000_000, 12));
    }
    assert_eq!(fs::metadata(top.join("zero")).unwrap().mtime(), 1_600_000_000);
}

#[test]
fn stock_tools_give_the_tree_back() {
    let bench = Bench::new("stock");
    let written = bench.write(tree()).unwrap();
    assert_eq!(written.snapshot.state, SnapshotState::Complete);
    let tar = bench.stock_content(ArtifactFile::Backup);
    let root = rustix::process::geteuid().is_root();
    for program in ["tar", "bsdtar"] {
        let into = bench.path(program);
        unpack(program, &tar, &into);
        check_tree(&into, root);
    }
}

#[test]
fn the_index_is_readable_and_right() {
    let bench = Bench::new("index");
    let written = bench.write(tree()).unwrap();
    let tar = bench.stock_content(ArtifactFile::Backup);
    let index = String::from_utf8(bench.stock_content(ArtifactFile::Index)).unwrap();
    let lines: Vec<serde_json::Value> = index.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["format"], "xvault-index");
    assert_eq!(lines[0]["snapshot_id"], bench.key.snapshot_id.as_str());
    assert_eq!(lines.last().unwrap()["counts"]["files"], written.counts.files);
    assert_eq!(lines.last().unwrap()["sizes"]["tar"], tar.len());
    let big = lines.iter().find(|line| line["path"] == "top/big").unwrap();
    assert_eq!(big["blake3"], blake3::hash(&noise(1, 5_000_000)).to_hex().as_str());
    let at = usize::try_from(big["offset"].as_u64().unwrap()).unwrap();
    assert_eq!(&tar[at..at + 7], b"top/big");
    assert_eq!(lines.iter().filter(|line| line["path_b64"].is_string()).count(), 2);
}

#[test]
fn verify_passes_what_was_written_and_reports_it() {
    let bench = Bench::new("verify");
    let written = bench.write(tree()).unwrap();
    let files = Stored {
        storage: &bench.storage,
        key: &bench.key,
    };
    let expected = Expected {
        sha256: written.snapshot.sha256.clone(),
        manifest_sha256: written.snapshot.manifest_sha256.clone(),
    };
    let gauge = Gauge::new();
    let report = verify(&files, &bench.keys(&written), Some(&expected), &gauge).unwrap();
    assert_eq!(report.counts, written.counts);
    assert_eq!(report.bytes_content, written.snapshot.bytes_source);
    assert_eq!(report.bytes_stored, written.snapshot.bytes_stored);
    assert_eq!(gauge.progress().files, written.snapshot.files);
    assert_eq!(gauge.progress().total_bytes, Some(report.bytes_content));
}

#[test]
fn extended_attributes_come_back_with_tar() {
    let bench = Bench::new("xattr");
    let mut tagged = entry("tagged", EntryKind::File { size: 1 });
    tagged.pax = vec![
        ("SCHILY.xattr.user.xvault".into(), b"va\nlue\0".to_vec()),
        // A source must not rename an entry behind the index's back.
        ("path".into(), b"elsewhere".to_vec()),
    ];
    let written = bench.write(file_of(tagged, b"x", FileEnd::Complete)).unwrap();
    assert_eq!(written.counts.problems, 1);
    let tar = bench.stock_content(ArtifactFile::Backup);
    let into = bench.path("out");
    fs::create_dir(&into).unwrap();
    let args = ["-x", "--xattrs", "--xattrs-include=*", "-C"].map(OsStr::new);
    super::fixture::run("tar", &[&args[..], &[into.as_os_str()]].concat(), &tar);
    let mut value = [0; 32];
    let length = rustix::fs::getxattr(into.join("tagged"), "user.xvault", &mut value[..]).unwrap();
    assert_eq!(&value[..length], b"va\nlue\0");
}

#[test]
fn another_reader_of_the_seekable_format_finds_its_frames() {
    let bench = Bench::new("seekable");
    bench.write(tree()).unwrap();
    let (identity, backup) = (bench.identity_file(), bench.file(ArtifactFile::Backup));
    let args = ["-d".as_ref(), "-i".as_ref(), identity.as_os_str(), backup.as_os_str()];
    let zst = super::fixture::run("age", &args, b"");
    let tar = bench.stock_content(ArtifactFile::Backup);
    let mut decoder = zeekstd::Decoder::new(std::io::Cursor::new(zst)).unwrap();
    let (from, to) = (4_000_000, 4_500_000);
    decoder.set_offset(from).unwrap();
    decoder.set_offset_limit(to).unwrap();
    let mut middle = Vec::new();
    decoder.read_to_end(&mut middle).unwrap();
    assert!(middle == tar[from as usize..to as usize]);
}
