//! Files of unknown size: stored in parts where they must be, shown and restored as the one file they are.

use std::{fs, os::unix::fs::MetadataExt};

use bytes::Bytes;
use serde_json::Value;
use xvault::{
    artifact::{Gauge, Keys, Stored, browse, export, unpack, verify},
    domain::{
        entry::{Captured, FileEnd},
        error_code::ErrorCode,
        job::ExportFormat,
        snapshot::ArtifactFile,
    },
    storage::Storage,
};

use super::fixture::{self, Bench, file, noise, path, run};
use crate::support::xvault::command;

/// As `docs/format.md` has it.
const SEGMENT: usize = 8 * 1024 * 1024;

/// A dump of two full parts and a piece.
const LENGTH: usize = 2 * SEGMENT + 4_000_001;

/// The items of a stream, in pieces that never meet a segment's end.
fn stream(name: &str, content: &[u8]) -> Vec<Captured> {
    let data = content
        .chunks(100_003)
        .map(|chunk| Captured::Data(Bytes::copy_from_slice(chunk)));
    std::iter::once(Captured::Stream(path(name)))
        .chain(data)
        .chain([Captured::End(FileEnd::Complete)])
        .collect()
}

struct Dumps {
    bench: Bench,
    keys: Keys,
    shop: Vec<u8>,
}

impl Dumps {
    /// Two dumps in parts, small files before, between and after them.
    fn new(name: &str) -> Self {
        let bench = Bench::new(name);
        let shop = noise(5, LENGTH);
        let mut items = stream("databases/globals.sql", b"-- globals\n");
        items.extend(stream("databases/shop.dump", &shop));
        items.extend(stream("databases/shop.json", b"{}"));
        items.extend(stream("databases/\u{e4} b.sql", &noise(6, SEGMENT + 1)));
        items.extend(file("srv/last", b"last"));
        let written = bench.write(items).unwrap();
        assert_eq!((written.counts.files, written.counts.streams), (5, 2));
        assert_eq!(written.snapshot.files, 5);
        let keys = bench.keys(&written);
        Self { bench, keys, shop }
    }

    fn files(&self) -> Stored<'_> {
        Stored {
            storage: &self.bench.storage,
            key: &self.bench.key,
        }
    }

    fn export(&self, paths: &[&str], format: ExportFormat) -> Vec<u8> {
        let mut out = Vec::new();
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        export(&self.files(), &self.keys, &paths, format, &mut out, &Gauge::new()).unwrap();
        match format {
            ExportFormat::TarGz => run("gzip", &["-dc".as_ref()], &out),
            ExportFormat::TarZst => run("zstd", &["-dc".as_ref()], &out),
            _ => out,
        }
    }

    fn manifest(&self) -> Value {
        serde_json::from_slice(&fs::read(self.bench.file(ArtifactFile::Manifest)).unwrap()).unwrap()
    }
}

#[test]
fn a_stream_that_ends_within_a_segment_is_a_plain_file() {
    let bench = Bench::new("segment");
    let content = noise(1, SEGMENT);
    let mut items = stream("exactly", &content);
    items.extend(stream("empty", b""));
    let written = bench.write(items).unwrap();
    assert_eq!((written.counts.files, written.counts.streams), (2, 0));
    let into = bench.path("out");
    fixture::unpack("tar", &bench.stock_content(ArtifactFile::Backup), &into);
    assert_eq!(fs::read(into.join("exactly")).unwrap(), content);
    assert_eq!(fs::metadata(into.join("empty")).unwrap().len(), 0);
    let meta = fs::metadata(into.join("exactly")).unwrap();
    assert_eq!((meta.mode() & 0o7777, meta.mtime()), (0o600, 1_700_000_000));
    // Programs that know nothing of parts read it.
    let manifest: Value = serde_json::from_slice(&fs::read(bench.file(ArtifactFile::Manifest)).unwrap()).unwrap();
    assert_eq!(manifest["version"], 1);
    assert!(manifest["counts"].get("streams").is_none());
}

#[test]
fn stock_tools_join_the_parts_of_a_longer_one() {
    let dumps = Dumps::new("parts");
    let into = dumps.bench.path("out");
    fixture::unpack("tar", &dumps.bench.stock_content(ArtifactFile::Backup), &into);
    let script = "cd \"$1\" && cat databases/shop.dump.part*";
    let joined = run(
        "sh",
        &["-c".as_ref(), script.as_ref(), "sh".as_ref(), into.as_os_str()],
        b"",
    );
    assert!(joined == dumps.shop);
    let tar = dumps.bench.stock_content(ArtifactFile::Backup);
    let on_the_way = ["-x", "-O", "-f", "-"].map(AsRef::as_ref);
    let parts = "databases/shop.dump.part*".as_ref();
    let gnu = run(
        "tar",
        &[&on_the_way[..], &["--wildcards".as_ref(), parts]].concat(),
        &tar,
    );
    assert!(gnu == dumps.shop);
    assert!(run("bsdtar", &[&on_the_way[..], &[parts]].concat(), &tar) == dumps.shop);
    let sizes = ["1", "2", "3"].map(|n| fs::metadata(into.join(format!("databases/shop.dump.part00000{n}"))));
    assert_eq!(
        sizes.map(|meta| meta.unwrap().len() as usize),
        [SEGMENT, SEGMENT, LENGTH - 2 * SEGMENT]
    );
    // A program that cannot join them must not take them for whole files.
    assert_eq!(dumps.manifest()["version"], 2);
    assert_eq!(dumps.manifest()["counts"]["streams"], 2);
    let index = String::from_utf8(dumps.bench.stock_content(ArtifactFile::Index)).unwrap();
    let lines = index.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let whole = lines
        .into_iter()
        .find(|line| line["path"] == "databases/shop.dump")
        .unwrap();
    assert_eq!((&whole["type"], &whole["parts"]), (&"stream".into(), &3.into()));
    assert_eq!(whole["size"], LENGTH);
    assert_eq!(whole["blake3"], blake3::hash(&dumps.shop).to_hex().as_str());
}

#[test]
fn every_form_of_export_has_the_joined_file() {
    let dumps = Dumps::new("joined");
    for (number, chosen) in [&[][..], &["databases"], &["/databases/shop.dump", "srv"]]
        .into_iter()
        .enumerate()
    {
        // Compression makes no difference to what is chosen.
        let formats = [ExportFormat::Tar, ExportFormat::TarZst, ExportFormat::TarGz];
        for format in &formats[..if number == 0 { 3 } else { 1 }] {
            let into = dumps.bench.path(&format!("{number}-{format:?}"));
            fixture::unpack("tar", &dumps.export(chosen, *format), &into);
            assert!(fs::read(into.join("databases/shop.dump")).unwrap() == dumps.shop);
            let meta = fs::metadata(into.join("databases/shop.dump")).unwrap();
            assert_eq!((meta.mode() & 0o7777, meta.mtime()), (0o600, 1_700_000_000));
            let names = fs::read_dir(into.join("databases")).unwrap().count();
            assert_eq!(names, if number == 2 { 1 } else { 4 });
            assert_eq!(into.join("srv/last").exists(), number != 1);
        }
        let target = dumps.bench.path(&format!("{number}-unpacked"));
        let chosen: Vec<String> = chosen.iter().map(|path| (*path).to_owned()).collect();
        let gauge = Gauge::new();
        unpack(&dumps.files(), &dumps.keys, &chosen, &target, &gauge).unwrap();
        assert!(fs::read(target.join("databases/shop.dump")).unwrap() == dumps.shop);
        let progress = gauge.progress();
        assert_eq!(Some(progress.bytes), progress.total_bytes);
    }
    let archive = dumps.bench.path("x.zip");
    fs::write(&archive, dumps.export(&["databases/shop.dump"], ExportFormat::Zip)).unwrap();
    let args = ["-p".as_ref(), archive.as_os_str(), "databases/shop.dump".as_ref()];
    assert!(run("unzip", &args, b"") == dumps.shop);
}

#[test]
fn one_dump_comes_out_as_it_is() {
    let dumps = Dumps::new("plain");
    assert!(dumps.export(&["databases/shop.dump"], ExportFormat::File) == dumps.shop);
    assert_eq!(dumps.export(&["/srv/last"], ExportFormat::File), b"last");
    for (chosen, told) in [
        (&["databases"][..], "more than that"),
        (&["srv/last", "databases/shop.dump"], "more than that"),
        (&[], "more than that"),
        (&["databases/shop.sql"], "is not in this snapshot"),
    ] {
        let chosen: Vec<String> = chosen.iter().map(|path| (*path).to_owned()).collect();
        let (files, mut out) = (dumps.files(), Vec::new());
        let error = export(
            &files,
            &dumps.keys,
            &chosen,
            ExportFormat::File,
            &mut out,
            &Gauge::new(),
        )
        .unwrap_err();
        assert!(error.message.contains(told), "{}", error.message);
    }
    let (identity, directory) = (dumps.bench.identity_file(), dumps.bench.snapshot());
    let (identity, directory) = (identity.to_str().unwrap(), directory.to_str().unwrap());
    let args = ["artifact", "extract", "-i", identity, directory, "--to-file", "-"];
    let output = command(&[&args[..], &["databases/shop.dump"]].concat(), &[])
        .output()
        .unwrap();
    assert!(
        output.stdout == dumps.shop,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!command(&args, &[]).output().unwrap().status.success());
}

#[test]
fn browsing_and_listing_show_one_file() {
    let dumps = Dumps::new("listed");
    let index = dumps.bench.storage.open(&dumps.bench.key, ArtifactFile::Index).unwrap();
    let page = browse(index, &dumps.keys.index, "databases", None, 100).unwrap();
    let shown: Vec<_> = page
        .items
        .iter()
        .map(|item| (item.name.as_str(), item.size as usize))
        .collect();
    assert_eq!(
        shown,
        [
            ("globals.sql", 11),
            ("shop.dump", LENGTH),
            ("shop.json", 2),
            ("\u{e4} b.sql", SEGMENT + 1)
        ]
    );
    let (identity, directory) = (dumps.bench.identity_file(), dumps.bench.snapshot());
    let (identity, directory) = (identity.to_str().unwrap(), directory.to_str().unwrap());
    let inspected = command(&["artifact", "inspect", directory], &[]).output().unwrap();
    let inspected = String::from_utf8(inspected.stdout).unwrap();
    assert!(inspected.contains("5 files (2 in parts)"), "{inspected}");
    let output = command(&["artifact", "list", "--paths", "-i", identity, directory], &[])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "databases/globals.sql\ndatabases/shop.dump\ndatabases/shop.json\ndatabases/\u{e4} b.sql\nsrv/last\n"
    );
}

#[test]
fn a_part_is_no_path_of_the_snapshot() {
    let dumps = Dumps::new("part-path");
    let chosen = ["databases/shop.dump.part000001".to_owned()];
    let mut out = Vec::new();
    let error = export(
        &dumps.files(),
        &dumps.keys,
        &chosen,
        ExportFormat::Tar,
        &mut out,
        &Gauge::new(),
    );
    assert_eq!(error.unwrap_err().code, ErrorCode::PathNotFound);
}

#[test]
fn verification_counts_it_once_and_all_of_its_bytes() {
    let dumps = Dumps::new("verified");
    let gauge = Gauge::new();
    let report = verify(&dumps.files(), &dumps.keys, None, &gauge).unwrap();
    assert_eq!((report.counts.files, report.counts.streams), (5, 2));
    assert_eq!(report.bytes_content as usize, 11 + LENGTH + 2 + SEGMENT + 1 + 4);
    assert_eq!(gauge.progress().files, 5);
}

#[test]
fn half_a_dump_fails_the_backup() {
    for (length, end) in [(10, FileEnd::Unreadable), (SEGMENT + 5, FileEnd::Changed)] {
        let bench = Bench::new("half");
        let mut items = stream("databases/shop.sql", &noise(2, length));
        items.pop();
        items.push(Captured::End(end));
        let error = bench.write(items).unwrap_err();
        assert_eq!(error.code, ErrorCode::DumpFailed);
        assert!(error.message.contains("/databases/shop.sql"), "{}", error.message);
        assert!(bench.leftovers().is_empty());
    }
}

#[test]
fn a_connector_that_ends_inside_a_stream_fails_the_backup() {
    let bench = Bench::new("open");
    let mut items = stream("databases/shop.sql", b"create table");
    items.pop();
    assert_eq!(bench.write(items).unwrap_err().code, ErrorCode::Internal);
    assert!(bench.leftovers().is_empty());
}
