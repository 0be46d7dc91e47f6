//! Writes a set of test vectors: artifacts in the format of this program's version, with the identity
//! that opens them. See `tests/vectors/README.md`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use xvault::{
    artifact::{ArtifactWriter, CaptureFacts, WriterOptions},
    crypto::age_keys::TenantIdentity,
    domain::{
        entry::{Captured, Entry, EntryKind, EntryPath, FileEnd, Mtime, Problem, ProblemKind},
        ids::{JobId, WorkerId},
        snapshot::{ArtifactFile, SnapshotKey},
        source::SourceKind,
    },
    storage::{Storage, local_fs::LocalFs},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let out = PathBuf::from(args.next().ok_or("name the directory to write to, and the artifacts")?);
    fs::create_dir_all(&out)?;
    let identity = TenantIdentity::generate();
    let text = format!(
        "# Test vectors only: this key protects nothing.\n# public key: {}\n{}\n",
        identity.recipient(),
        identity.secret().expose_secret()
    );
    fs::write(out.join("identity.txt"), text)?;
    for name in args {
        let items = match name.as_str() {
            "complete" => complete()?,
            "partial" => partial()?,
            "parts" => parts()?,
            _ => return Err(format!("there is no artifact {name}; there are complete, partial and parts").into()),
        };
        write(&out, &name, &identity, items)?;
    }
    Ok(())
}

type Items = Result<Vec<Captured>, Box<dyn std::error::Error>>;

fn write(
    out: &Path,
    name: &str,
    identity: &TenantIdentity,
    items: Vec<Captured>,
) -> Result<(), Box<dyn std::error::Error>> {
    let base = tempfile::tempdir()?;
    let storage = LocalFs::open(base.path(), "wrk_vectors".parse::<WorkerId>()?)?;
    let key = SnapshotKey {
        tenant_id: "tnt_vectors".parse()?,
        source_id: "src_vectors".parse()?,
        snapshot_id: format!("snp_{name}").parse()?,
    };
    let options = WriterOptions {
        threads: 1,
        created_at: DateTime::<Utc>::from_timestamp(1_700_000_000, 0).ok_or("no such time")?,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let job: JobId = "job_vectors".parse()?;
    let mut writer = ArtifactWriter::new(storage.stage(&key)?, key.clone(), job, &[identity.recipient()], options)?;
    for item in items {
        writer.push(item)?;
    }
    writer.finish(CaptureFacts {
        transport: "ssh-tar".to_owned(),
        not_carried: vec!["birth times of files".to_owned()],
        kind: SourceKind::Ssh,
    })?;
    fs::create_dir_all(out.join(name))?;
    for file in ArtifactFile::ALL {
        fs::copy(
            base.path().join(key.prefix()).join(file.name()),
            out.join(name).join(file.name()),
        )?;
    }
    Ok(())
}

/// Every kind of entry, every form of name, content beyond one frame.
fn complete() -> Items {
    let mut items = Vec::new();
    entry(&mut items, b"srv", EntryKind::Directory)?;
    entry(&mut items, b"srv/empty", EntryKind::Directory)?;
    file(&mut items, b"srv/hello.txt", b"hello\n", FileEnd::Complete, 6)?;
    file(&mut items, b"srv/zero", b"", FileEnd::Complete, 0)?;
    file(
        &mut items,
        "srv/\u{fc}n\u{ef}c\u{f6}de".as_bytes(),
        b"utf-8",
        FileEnd::Complete,
        5,
    )?;
    file(&mut items, b"srv/latin1\xff", b"bytes", FileEnd::Complete, 5)?;
    file(&mut items, b"srv/new\nline", b"line", FileEnd::Complete, 4)?;
    let long = [&b"srv/"[..], &b"long/".repeat(60), &b"n".repeat(200)].concat();
    file(&mut items, &long, b"long", FileEnd::Complete, 4)?;
    let long_bytes = [&b"srv/"[..], &b"\xff".repeat(200)].concat();
    file(&mut items, &long_bytes, b"long bytes", FileEnd::Complete, 10)?;
    let big = b"all work and no play\n".repeat(120_000);
    file(&mut items, b"srv/big", &big, FileEnd::Complete, big.len() as u64)?;
    let target = EntryPath::new(b"srv/big")?;
    entry(&mut items, b"srv/hard", EntryKind::HardLink { target })?;
    let target = b"../nowhere".to_vec();
    entry(&mut items, b"srv/dangling", EntryKind::Symlink { target })?;
    file(&mut items, b"srv/last", b"after it all\n", FileEnd::Complete, 13)?;
    Ok(items)
}

/// Files that are not what they were announced to be, and problems.
fn partial() -> Items {
    let mut items = Vec::new();
    file(&mut items, b"shrank", b"short", FileEnd::Complete, 600)?;
    file(&mut items, b"grew", b"longer", FileEnd::Complete, 4)?;
    file(&mut items, b"changed", b"mixed", FileEnd::Changed, 5)?;
    file(&mut items, b"broken", b"half", FileEnd::Unreadable, 8)?;
    items.push(Captured::Problem(Problem {
        kind: ProblemKind::Unreadable,
        path: "/private".to_owned(),
        message: "Permission denied".to_owned(),
    }));
    items.push(Captured::Problem(Problem {
        kind: ProblemKind::SpecialSkipped,
        path: "/run/socket".to_owned(),
        message: "a socket".to_owned(),
    }));
    Ok(items)
}

/// Dumps: one within a segment, two in parts, and files around them.
fn parts() -> Items {
    let mut items = Vec::new();
    stream(&mut items, "databases/globals.sql", b"create role shop;\n")?;
    stream(
        &mut items,
        "databases/shop.dump",
        &b"PGDMP all work and no play\n".repeat(1_000_000),
    )?;
    stream(&mut items, "databases/w\u{f6}rk.sql", &b"x".repeat(9_000_000))?;
    file(&mut items, b"srv/last", b"after it all\n", FileEnd::Complete, 13)?;
    Ok(items)
}

fn stream(items: &mut Vec<Captured>, path: &str, content: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    items.push(Captured::Stream(EntryPath::new(path.as_bytes())?));
    items.push(Captured::Data(Bytes::copy_from_slice(content)));
    items.push(Captured::End(FileEnd::Complete));
    Ok(())
}

fn entry(items: &mut Vec<Captured>, path: &[u8], kind: EntryKind) -> Result<(), Box<dyn std::error::Error>> {
    items.push(Captured::Entry(Entry {
        path: EntryPath::new(path)?,
        mode: if kind == EntryKind::Directory { 0o2750 } else { 0o640 },
        kind,
        uid: 1000,
        gid: 4_000_000,
        mtime: Mtime {
            seconds: 1_650_000_000,
            nanos: 987_654_321,
        },
        pax: vec![("SCHILY.xattr.user.vector".to_owned(), b"1\n2".to_vec())],
    }));
    Ok(())
}

fn file(
    items: &mut Vec<Captured>,
    path: &[u8],
    content: &[u8],
    end: FileEnd,
    size: u64,
) -> Result<(), Box<dyn std::error::Error>> {
    entry(items, path, EntryKind::File { size })?;
    items.push(Captured::Data(Bytes::copy_from_slice(content)));
    items.push(Captured::End(end));
    Ok(())
}
