//! Artifacts written by earlier versions stay readable. `tests/vectors/README.md` says how they
//! were made.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use xvault::{
    artifact::{Directory, Gauge, Keys, age_header, check_hashes, export, unpack, verify},
    crypto::age_keys::{TenantIdentity, unwrap_file_key},
    domain::{job::ExportFormat, snapshot::ArtifactFile},
};

use super::fixture::run;
use crate::support::{scratch::temp_dir, xvault::command};

fn v1() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/v1")
}

fn open(name: &str) -> (Directory, Keys) {
    let text = fs::read_to_string(v1().join("identity.txt")).unwrap();
    let secret = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    let identity = TenantIdentity::from_secret(&secret.into()).unwrap();
    let files = Directory(v1().join(name));
    let key = |file| unwrap_file_key(&identity, &age_header(&files, file).unwrap()).unwrap();
    let keys = Keys {
        backup: key(ArtifactFile::Backup),
        index: key(ArtifactFile::Index),
    };
    (files, keys)
}

/// The hash a stock `age -d | zstd -d` gave.
fn recorded(file: &str) -> String {
    let sums = fs::read_to_string(v1().join("sums")).unwrap();
    let line = sums.lines().find(|line| line.ends_with(file)).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn version_1_verifies_and_gives_the_same_tar() {
    for name in ["complete", "partial"] {
        let (files, keys) = open(name);
        check_hashes(&files, None, &Gauge::new()).unwrap();
        verify(&files, &keys, None, &Gauge::new()).unwrap();
        let mut tar = Vec::new();
        export(&files, &keys, &[], ExportFormat::Tar, &mut tar, &Gauge::new()).unwrap();
        assert_eq!(sha256(&tar), recorded(&format!("{name}/backup.tar.zst.enc")));
    }
}

#[test]
fn stock_tools_read_version_1() {
    let identity = v1().join("identity.txt");
    for name in [
        "complete/backup.tar.zst.enc",
        "partial/backup.tar.zst.enc",
        "complete/index.enc",
        "partial/index.enc",
    ] {
        let file = v1().join(name);
        let zst = run(
            "age",
            &["-d".as_ref(), "-i".as_ref(), identity.as_os_str(), file.as_os_str()],
            b"",
        );
        assert_eq!(sha256(&run("zstd", &["-dc".as_ref()], &zst)), recorded(name));
    }
}

#[test]
fn version_1_lists_as_it_did() {
    for name in ["complete", "partial"] {
        let (identity, directory) = (v1().join("identity.txt"), v1().join(name));
        let args = [
            "artifact",
            "list",
            "-i",
            identity.to_str().unwrap(),
            directory.to_str().unwrap(),
        ];
        let output = command(&args, &[]).output().unwrap();
        assert!(output.status.success());
        let recorded = fs::read_to_string(v1().join(format!("{name}.list"))).unwrap();
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
    let (files, keys) = open("complete");
    let target = dir.path().join("out");
    let chosen = ["srv/hello.txt".to_owned(), "srv/hard".to_owned()];
    assert_eq!(
        unpack(&files, &keys, &chosen, &target, &Gauge::new()).unwrap().entries,
        2
    );
    assert_eq!(fs::read(target.join("srv/hello.txt")).unwrap(), b"hello\n");
    assert_eq!(fs::metadata(target.join("srv/hard")).unwrap().len(), 2_520_000);
}
