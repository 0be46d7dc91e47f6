//! Exports in every form, of everything and of chosen paths.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use xvault::{
    artifact::{Gauge, Keys, Stored, export},
    domain::{
        error_code::ErrorCode,
        job::{ExportFormat, JobError},
        snapshot::ArtifactFile,
    },
};

use super::fixture::{Bench, Counting, directory, file, hard_link, noise, run, symlink, unpack};

struct Exports {
    bench: Bench,
    keys: Keys,
}

impl Exports {
    fn new() -> Self {
        let bench = Bench::new("export");
        let mut items = vec![directory("a"), directory("b"), directory("b/empty")];
        items.extend(file("a/first", &noise(1, 3_000_000)));
        items.extend(file("a/padding", &noise(2, 20_000_000)));
        items.extend(file("b/small", b"small content"));
        items.extend(file(b"b/raw\xff", b"raw"));
        items.extend(file("b/\u{fc}", b"utf8"));
        items.push(symlink("b/link", b"small"));
        items.push(hard_link("b/hard", "a/first"));
        items.push(hard_link("b/hard2", "a/first"));
        items.extend(file("c/last", &noise(3, 1000)));
        let written = bench.write(items).unwrap();
        let keys = bench.keys(&written);
        Self { bench, keys }
    }

    fn files(&self) -> Stored<'_> {
        Stored {
            storage: &self.bench.storage,
            key: &self.bench.key,
        }
    }

    fn get(&self, paths: &[&str], format: ExportFormat) -> Result<Vec<u8>, JobError> {
        let mut out = Vec::new();
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let report = export(&self.files(), &self.keys, &paths, format, &mut out, &Gauge::new())?;
        assert_eq!(report.bytes, out.len() as u64);
        assert!(report.files > 0);
        Ok(out)
    }

    fn tar(&self, paths: &[&str], format: ExportFormat) -> Vec<u8> {
        let out = self.get(paths, format).unwrap();
        match format {
            ExportFormat::TarGz => run("gzip", &["-dc".as_ref()], &out),
            ExportFormat::TarZst => run("zstd", &["-dc".as_ref()], &out),
            _ => out,
        }
    }
}

const TARS: [ExportFormat; 3] = [ExportFormat::Tar, ExportFormat::TarZst, ExportFormat::TarGz];

#[test]
fn everything_as_tar_is_the_stored_stream() {
    let exports = Exports::new();
    let stored = exports.bench.stock_content(ArtifactFile::Backup);
    for format in TARS {
        assert!(exports.tar(&[], format) == stored, "{format:?}");
    }
}

#[test]
fn chosen_paths_and_all_below_them() {
    let exports = Exports::new();
    for format in TARS {
        let into = exports.bench.path(format.as_str());
        unpack("tar", &exports.tar(&["b", "c/last"], format), &into);
        assert!(!into.join("a").exists());
        assert_eq!(fs::read(into.join("b/small")).unwrap(), b"small content");
        assert_eq!(fs::read_link(into.join("b/link")).unwrap().to_str(), Some("small"));
        assert!(into.join("b/empty").is_dir());
        assert_eq!(fs::read(into.join("c/last")).unwrap(), noise(3, 1000));
        // The file they link to was not chosen: one of them becomes it.
        assert_eq!(fs::read(into.join("b/hard")).unwrap(), noise(1, 3_000_000));
        let inode = |name: &str| fs::metadata(into.join(name)).unwrap().ino();
        assert_eq!(inode("b/hard"), inode("b/hard2"));
    }
}

#[test]
fn an_escaped_name_can_be_chosen() {
    let exports = Exports::new();
    let into = exports.bench.path("escaped");
    unpack("tar", &exports.tar(&["/b/raw\\xff"], ExportFormat::Tar), &into);
    assert_eq!(fs::read_dir(into.join("b")).unwrap().count(), 1);
}

#[test]
fn zip_opens_with_unzip() {
    let exports = Exports::new();
    for (name, paths) in [("all", &[][..]), ("some", &["b"][..])] {
        let archive = exports.bench.path(&format!("{name}.zip"));
        fs::write(&archive, exports.get(paths, ExportFormat::Zip).unwrap()).unwrap();
        run("unzip", &["-tqq".as_ref(), archive.as_os_str()], b"");
        let into = exports.bench.path(name);
        run(
            "unzip",
            &["-qq".as_ref(), archive.as_os_str(), "-d".as_ref(), into.as_os_str()],
            b"",
        );
        assert_eq!(fs::read(into.join("b/small")).unwrap(), b"small content");
        assert_eq!(fs::read(into.join("b/\u{fc}")).unwrap(), b"utf8");
        assert_eq!(fs::read(into.join("b/hard2")).unwrap(), noise(1, 3_000_000));
        assert_eq!(fs::read_link(into.join("b/link")).unwrap().to_str(), Some("small"));
        assert!(into.join("b/empty").is_dir());
        let small = fs::metadata(into.join("b/small")).unwrap();
        assert_eq!((small.mtime(), small.mode() & 0o7777), (1_600_000_000, 0o644));
        assert_eq!(into.join("a").exists(), name == "all");
        let script = "import sys, zipfile; assert zipfile.ZipFile(sys.argv[1]).testzip() is None";
        run("python3", &["-c".as_ref(), script.as_ref(), archive.as_os_str()], b"");
    }
}

#[test]
fn only_a_file_can_be_given_out_as_it_is() {
    let exports = Exports::new();
    // A link to a file is that file.
    assert!(exports.get(&["b/hard"], ExportFormat::File).unwrap() == noise(1, 3_000_000));
    for other in ["b/empty", "b/link"] {
        let error = exports.get(&[other], ExportFormat::File).unwrap_err();
        assert_eq!(error.code, ErrorCode::ExportLimit, "{error}");
        assert!(error.message.contains(other), "{error}");
    }
}

#[test]
fn what_is_not_there_is_named() {
    let exports = Exports::new();
    for format in [ExportFormat::Tar, ExportFormat::Zip] {
        let error = exports.get(&["b/small", "b/nothing"], format).unwrap_err();
        assert_eq!(error.code, ErrorCode::PathNotFound);
        assert!(error.message.contains("b/nothing"), "{}", error.message);
    }
}

#[test]
fn one_file_reads_its_own_frames_only() {
    let exports = Exports::new();
    let read = Arc::new(AtomicU64::new(0));
    let counting = Counting {
        inner: &exports.files(),
        read: Arc::clone(&read),
    };
    let mut out = Vec::new();
    export(
        &counting,
        &exports.keys,
        &["c/last".into()],
        ExportFormat::Tar,
        &mut out,
        &Gauge::new(),
    )
    .unwrap();
    let whole = fs::metadata(exports.bench.file(ArtifactFile::Backup)).unwrap().len();
    let read = read.load(Ordering::Relaxed);
    // One frame of two mebibytes, and the chunks of age around it and around the table.
    assert!(whole > 20_000_000 && read < 2_600_000, "{read} of {whole}");
}

#[test]
fn a_damaged_snapshot_gives_no_export() {
    let exports = Exports::new();
    let path = exports.bench.file(ArtifactFile::Backup);
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    for at in [1000, last / 2, last] {
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        for format in [
            ExportFormat::Tar,
            ExportFormat::TarZst,
            ExportFormat::TarGz,
            ExportFormat::Zip,
        ] {
            assert_eq!(
                exports.get(&[], format).unwrap_err().code,
                ErrorCode::SnapshotDamaged,
                "{format:?} {at}"
            );
        }
        bytes[at] ^= 1;
    }
}

#[test]
fn a_cancelled_export_stops() {
    let exports = Exports::new();
    let gauge = Gauge::new();
    gauge.cancel();
    let error = export(
        &exports.files(),
        &exports.keys,
        &[],
        ExportFormat::Tar,
        &mut Vec::new(),
        &gauge,
    )
    .unwrap_err();
    assert_eq!(error.code, ErrorCode::Cancelled);
}
