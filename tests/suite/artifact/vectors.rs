//! Artifacts written by earlier versions stay readable. `tests/vectors/README.md` says how they
//! were made.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use xvault::{
    artifact::{Directory, Gauge, Keys, age_header, check_hashes, export, manifest, unpack, verify},
    crypto::age_keys::{TenantIdentity, unwrap_file_key},
    domain::{job::ExportFormat, snapshot::ArtifactFile},
};

use super::fixture::run;
use crate::support::{scratch::temp_dir, xvault::command};

/// Every artifact by its version's directory and its name.
const ALL: [(&str, &str); 3] = [("v1", "complete"), ("v1", "partial"), ("v2", "parts")];

fn directory(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(version)
}

fn open(version: &str, name: &str) -> (Directory, Keys) {
    let text = fs::read_to_string(directory(version).join("identity.txt")).unwrap();
    let secret = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    let identity = TenantIdentity::from_secret(&secret.into()).unwrap();
    let files = Directory(directory(version).join(name));
    let key = |file| unwrap_file_key(&identity, &age_header(&files, file).unwrap()).unwrap();
    let keys = Keys {
        backup: key(ArtifactFile::Backup),
        index: key(ArtifactFile::Index),
    };
    (files, keys)
}

/// The hash a stock `age -d | zstd -d` gave.
fn recorded(version: &str, file: &str) -> String {
    let sums = fs::read_to_string(directory(version).join("sums")).unwrap();
    let line = sums.lines().find(|line| line.ends_with(file)).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_version_verifies_and_gives_the_same_tar() {
    for (version, name) in ALL {
        let (files, keys) = open(version, name);
        assert_eq!(format!("v{}", manifest(&files).unwrap().version), version);
        check_hashes(&files, None, &Gauge::new()).unwrap();
        verify(&files, &keys, None, &Gauge::new()).unwrap();
        let mut tar = Vec::new();
        export(&files, &keys, &[], ExportFormat::Tar, &mut tar, &Gauge::new()).unwrap();
        let stored = recorded(version, &format!("{name}/backup.tar.zst.enc"));
        assert_eq!(sha256(&tar) == stored, version == "v1", "only parts are joined");
    }
}

#[test]
fn stock_tools_read_every_version() {
    for (version, name) in ALL {
        let identity = directory(version).join("identity.txt");
        for file in ["backup.tar.zst.enc", "index.enc"].map(|file| format!("{name}/{file}")) {
            let path = directory(version).join(&file);
            let args = ["-d".as_ref(), "-i".as_ref(), identity.as_os_str(), path.as_os_str()];
            let zst = run("age", &args, b"");
            assert_eq!(sha256(&run("zstd", &["-dc".as_ref()], &zst)), recorded(version, &file));
        }
    }
}

#[test]
fn every_version_lists_as_it_did() {
    for (version, name) in ALL {
        let (identity, place) = (directory(version).join("identity.txt"), directory(version).join(name));
        let args = [
            "artifact",
            "list",
            "-i",
            identity.to_str().unwrap(),
            place.to_str().unwrap(),
        ];
        let output = command(&args, &[]).output().unwrap();
        assert!(output.status.success());
        let recorded = fs::read_to_string(directory(version).join(format!("{name}.list"))).unwrap();
        // Problems go to standard error, so the two mix in no order.
        let mut lines: Vec<&str> = recorded.lines().collect();
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8(printed).unwrap();
        let mut printed: Vec<&str> = printed.lines().collect();
        lines.sort_unstable();
        printed.sort_unstable();
        assert_eq!(printed, lines);
    }
}

#[test]
fn version_1_unpacks() {
    let dir = temp_dir("vectors");
    let (files, keys) = open("v1", "complete");
    let target = dir.path().join("out");
    let chosen = ["srv/hello.txt".to_owned(), "srv/hard".to_owned()];
    assert_eq!(
        unpack(&files, &keys, &chosen, &target, &Gauge::new()).unwrap().entries,
        2
    );
    assert_eq!(fs::read(target.join("srv/hello.txt")).unwrap(), b"hello\n");
    assert_eq!(fs::metadata(target.join("srv/hard")).unwrap().len(), 2_520_000);
}

#[test]
fn version_2_joins_its_parts() {
    let dir = temp_dir("vectors");
    let (files, keys) = open("v2", "parts");
    let target = dir.path().join("out");
    let report = unpack(&files, &keys, &["databases".to_owned()], &target, &Gauge::new()).unwrap();
    assert_eq!(report.entries, 3);
    let dump = fs::read(target.join("databases/shop.dump")).unwrap();
    assert!(dump == b"PGDMP all work and no play\n".repeat(1_000_000));
    assert_eq!(
        fs::metadata(target.join("databases/w\u{f6}rk.sql")).unwrap().len(),
        9_000_000
    );
}
