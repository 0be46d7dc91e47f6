//! Index and tar that do not belong together are told apart, even where every hash fits: verification compares
//! them with each other, both ways.

use std::fs;

use serde_json::Value;
use sha2::{Digest, Sha256};
use xvault::{
    artifact::{Gauge, Keys, Stored, verify},
    domain::{
        entry::{Captured, EntryKind, FileEnd},
        error_code::ErrorCode,
        snapshot::ArtifactFile,
    },
};

use super::fixture::{Bench, entry, file, file_of};

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Verifies a snapshot with the tar of one capture and the index of another, all hashes made right.
fn verdict(in_tar: Vec<Captured>, in_index: Vec<Captured>) -> Result<(), String> {
    let tar = Bench::new("tar");
    let mut bench = Bench::new("index");
    bench.key = tar.key.clone();
    let (of_tar, of_index) = (tar.write(in_tar).unwrap(), bench.write(in_index).unwrap());
    let keys = Keys {
        backup: tar.keys(&of_tar).backup,
        index: bench.keys(&of_index).index,
    };
    let backup = fs::read(tar.file(ArtifactFile::Backup)).unwrap();
    fs::write(bench.file(ArtifactFile::Backup), &backup).unwrap();
    let json = |file| serde_json::from_slice::<Value>(&fs::read(bench.file(file)).unwrap()).unwrap();
    let mut manifest = json(ArtifactFile::Manifest);
    manifest["files"][ArtifactFile::Backup.name()] =
        serde_json::json!({"bytes": backup.len(), "sha256": sha256(&backup)});
    let manifest = serde_json::to_vec(&manifest).unwrap();
    fs::write(bench.file(ArtifactFile::Manifest), &manifest).unwrap();
    let mut meta = json(ArtifactFile::Meta);
    meta["manifest_sha256"] = sha256(&manifest).into();
    meta["self_sha256"] = "0".repeat(64).into();
    let own = sha256(&serde_json::to_vec(&meta).unwrap());
    meta["self_sha256"] = own.into();
    fs::write(bench.file(ArtifactFile::Meta), serde_json::to_vec(&meta).unwrap()).unwrap();

    let files = Stored {
        storage: &bench.storage,
        key: &bench.key,
    };
    match verify(&files, &keys, None, &Gauge::new()) {
        Ok(_) => Ok(()),
        Err(error) => {
            assert_eq!(error.code, ErrorCode::SnapshotDamaged, "{error}");
            Err(error.message)
        }
    }
}

#[test]
fn what_only_one_of_them_has_is_found() {
    let (a, b) = (|| file("a", b"alpha"), || file("b", b"beta"));
    let both = |one: Vec<Captured>, two: Vec<Captured>| one.into_iter().chain(two).collect::<Vec<_>>();
    let writable = || {
        let mut other = entry("a", EntryKind::File { size: 5 });
        other.mode = 0o666;
        file_of(other, b"alpha", FileEnd::Complete)
    };
    verdict(both(a(), b()), both(a(), b())).unwrap();
    for (in_tar, in_index, fault) in [
        (both(a(), b()), a(), "the tar goes on where its index ends"),
        (a(), both(a(), b()), "is damaged"),
        (file("a", b"ALPHA"), a(), "/a: does not have the content"),
        (writable(), a(), "/a: is described differently"),
        (both(b(), a()), both(a(), b()), "/a: "),
    ] {
        let told = verdict(in_tar, in_index).unwrap_err();
        assert!(told.contains(fault), "{told}");
    }
}
