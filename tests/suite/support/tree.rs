//! A tree with everything that goes wrong in backups, and the comparison of two trees.
//!
//! ```ignore
//! tree::build(&dir);                                          // nasty names, links, modes, long paths, holes
//! tree::assert_same_tree(&dir, &restored, Carried::Full);    // or Carried::Sftp
//! ```

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    fs::{self, File},
    io::Write,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, MetadataExt, PermissionsExt, symlink},
    },
    path::Path,
};

use filetime::FileTime;

/// What a transport can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// Everything, to the nanosecond and with hard links: GNU tar, bsdtar, and what we store.
    Full,
    /// No fractions of seconds: busybox tar.
    Seconds,
    /// Neither those nor hard links: SFTP version 3.
    Sftp,
}

/// What a thing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Length and BLAKE3 of the content, and the least of its names if it has several here.
    File(u64, blake3::Hash, Option<Vec<u8>>),
    Directory,
    Symlink(Vec<u8>),
}

/// A thing in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub kind: Kind,
    pub mode: u32,
    pub uid: u64,
    pub gid: u64,
    pub mtime: (i64, u32),
}

/// Things by path relative to the tree's root.
pub type Tree = BTreeMap<Vec<u8>, Node>;

/// A long path: five components of 200 bytes.
pub fn long_path() -> String {
    vec!["long".repeat(50); 5].join("/")
}

/// Fills an existing, empty directory.
pub fn build(dir: &Path) {
    let path = |name: &[u8]| dir.join(OsStr::from_bytes(name));
    let names: [&[u8]; 12] = [
        b"plain.txt",
        b" blanks and\ttabs ",
        b"new\nline",
        b"-rf",
        b"--checkpoint=1",
        b"not utf-8 \xff\xfe",
        b"back\\slash \\n \\101",
        b"quotes ' \" ` $HOME $(id) ; & | * ? [a] ~ !x #y",
        "ümläut \u{1f980}".as_bytes(),
        b"colon: Permission denied",
        b".hidden",
        b"dot at the end.",
    ];
    for (i, name) in names.iter().enumerate() {
        fs::write(path(name), vec![b'a' + i as u8; 100 * i + 1]).expect("a file");
    }
    for (name, mode) in [
        ("run", 0o755),
        ("setuid", 0o4711),
        ("setgid", 0o2755),
        ("secret", 0o600),
    ] {
        fs::write(dir.join(name), name).expect("a file");
        fs::set_permissions(dir.join(name), PermissionsExt::from_mode(mode)).expect("its mode");
    }
    fs::write(dir.join("zero"), "").expect("a file");
    // Around every border: tar's block, SFTP's reads, our chunks.
    for size in [511, 512, 513, 32_768, 261_119, 261_120, 261_121, 262_144, 1_048_577] {
        fs::write(dir.join(format!("size-{size}")), noise(size)).expect("a file");
    }
    fs::create_dir_all(dir.join("empty/also empty")).expect("a directory");
    fs::create_dir(path(b"dir\xff\n")).expect("a directory");
    fs::write(path(b"dir\xff\n/-x"), "x").expect("a file");
    fs::create_dir(dir.join("sticky")).expect("a directory");
    fs::set_permissions(dir.join("sticky"), PermissionsExt::from_mode(0o1777)).expect("its mode");

    symlink("plain.txt", dir.join("link")).expect("a link");
    symlink("nowhere/at all", dir.join("dangling")).expect("a link");
    symlink("empty", dir.join("link to directory")).expect("a link");
    symlink(".", dir.join("loop")).expect("a link");
    symlink(OsStr::from_bytes(b"\xff\n -> x"), path(b"l\xff")).expect("a link");
    symlink(long_path(), dir.join("long link")).expect("a link");
    fs::hard_link(dir.join("plain.txt"), dir.join("empty/hard")).expect("a hard link");
    fs::hard_link(dir.join("plain.txt"), dir.join("zz hard")).expect("a hard link");

    fs::create_dir_all(dir.join(long_path())).expect("directories");
    fs::write(dir.join(long_path()).join("deep"), "deep").expect("a file");
    fs::create_dir(dir.join("many")).expect("a directory");
    for i in 0..450 {
        fs::write(dir.join(format!("many/{i}")), i.to_string()).expect("a file");
        if i % 50 == 0 {
            fs::create_dir(dir.join(format!("many/d{i}"))).expect("a directory");
            fs::write(dir.join(format!("many/d{i}/f")), i.to_string()).expect("a file");
        }
    }
    let holes = File::create(dir.join("holes")).expect("a file");
    holes.set_len(5_000_000).expect("its length");
    holes.write_all_at(b"middle", 2_500_000).expect("its content");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::lchown(dir.join("run"), Some(12_345), Some(3_000_000)).expect("root");
    }
    for (name, seconds, nanos) in [
        ("plain.txt", 1_000_000_000, 123_456_789),
        ("zero", 1, 0),
        ("empty", 86_400, 5),
    ] {
        filetime::set_file_mtime(dir.join(name), FileTime::from_unix_time(seconds, nanos)).expect("its time");
    }
}

/// Things that no backup stores: they must be skipped and counted. Returns how many.
pub fn add_specials(dir: &Path) -> usize {
    rustix::fs::mknodat(
        rustix::fs::CWD,
        dir.join("fifo"),
        rustix::fs::FileType::Fifo,
        0o644.into(),
        0,
    )
    .expect("a FIFO");
    std::os::unix::net::UnixListener::bind(dir.join("socket")).expect("a socket");
    2
}

/// A sparse file of more than 8 GiB, with content behind the border.
pub fn add_large(dir: &Path) {
    let file = File::create(dir.join("large")).expect("a file");
    file.set_len((8 << 30) + 4096).expect("its length");
    file.write_all_at(b"behind the border", 8 << 30).expect("its content");
}

/// Bytes that do not repeat within any block.
pub fn noise(length: usize) -> Vec<u8> {
    let mut output = blake3::Hasher::new().update(&length.to_le_bytes()).finalize_xof();
    let mut bytes = vec![0; length];
    output.fill(&mut bytes);
    bytes
}

/// The tree below a directory; FIFOs, sockets and devices are left out.
pub fn read(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut inodes: HashMap<(u64, u64), Vec<Vec<u8>>> = HashMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path
                .strip_prefix(root)
                .expect("below it")
                .as_os_str()
                .as_bytes()
                .to_vec();
            let meta = fs::symlink_metadata(&path).expect("its attributes");
            let kind = if meta.is_dir() {
                waiting.push(path);
                Kind::Directory
            } else if meta.is_symlink() {
                Kind::Symlink(
                    fs::read_link(&path)
                        .expect("its target")
                        .as_os_str()
                        .as_bytes()
                        .to_vec(),
                )
            } else if meta.is_file() {
                if meta.nlink() > 1 {
                    inodes.entry((meta.dev(), meta.ino())).or_default().push(name.clone());
                }
                Kind::File(meta.len(), hash(&path), None)
            } else {
                continue;
            };
            let node = Node {
                kind,
                mode: meta.mode() & 0o7777,
                uid: meta.uid().into(),
                gid: meta.gid().into(),
                mtime: (meta.mtime(), meta.mtime_nsec() as u32),
            };
            tree.insert(name, node);
        }
    }
    for names in inodes.into_values() {
        link_names(&mut tree, names);
    }
    tree
}

/// Notes that these names are one file.
pub fn link_names(tree: &mut Tree, mut names: Vec<Vec<u8>>) {
    names.sort();
    for name in names.iter().filter(|_| names.len() > 1) {
        if let Some(Node {
            kind: Kind::File(.., first),
            ..
        }) = tree.get_mut(name)
        {
            *first = Some(names[0].clone());
        }
    }
}

fn hash(path: &Path) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update_reader(File::open(path).expect("a file"))
        .expect("its content");
    hasher.finalize()
}

/// Compares two directories on disk.
pub fn assert_same_tree(original: &Path, restored: &Path, carried: Carried) {
    assert_same(&read(original), &read(restored), carried);
}

/// Compares two trees and says what differs.
pub fn assert_same(original: &Tree, other: &Tree, carried: Carried) {
    let reduce = |tree: &Tree| -> Tree {
        let nodes = tree.iter().map(|(path, node)| {
            let mut node = node.clone();
            if carried != Carried::Full {
                node.mtime.1 = 0;
            }
            if carried == Carried::Sftp
                && let Kind::File(.., first) = &mut node.kind
            {
                *first = None;
            }
            // Nobody can set the mode of a link, and systems differ in what they report.
            if matches!(node.kind, Kind::Symlink(_)) {
                node.mode = 0o777;
            }
            (path.clone(), node)
        });
        nodes.collect()
    };
    let (original, other) = (reduce(original), reduce(other));
    let mut report = Vec::new();
    for path in original.keys().chain(other.keys()) {
        if original.get(path) != other.get(path) {
            let (a, b) = (original.get(path), other.get(path));
            writeln!(report, "{}:\n  original {a:?}\n  other    {b:?}", path.escape_ascii()).expect("memory");
        }
    }
    let report = String::from_utf8(report).expect("text");
    let beginning: String = report.chars().take(4000).collect();
    assert!(
        report.is_empty(),
        "the trees differ ({} and {} things):\n{beginning}",
        original.len(),
        other.len()
    );
}
