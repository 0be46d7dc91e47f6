//! Every change to a stored snapshot is noticed, and none brings the reader down.

use std::fs;

use xvault::{
    artifact::{Gauge, Keys, Stored, browse, verify},
    domain::{error_code::ErrorCode, snapshot::ArtifactFile},
    storage::Storage,
};

use super::fixture::{Bench, directory, file, noise, symlink};

fn written(name: &str) -> (Bench, Keys) {
    let bench = Bench::new(name);
    let mut items = vec![directory("d"), symlink("d/l", b"x")];
    items.extend(file("d/random", &noise(7, 3_000_000)));
    items.extend(file("d/text", &b"all work and no play ".repeat(10_000)));
    let written = bench.write(items).unwrap();
    let keys = bench.keys(&written);
    (bench, keys)
}

/// Verifies and gives the error's code and message.
fn verdict(bench: &Bench, keys: &Keys) -> Result<(), (ErrorCode, String)> {
    let files = Stored {
        storage: &bench.storage,
        key: &bench.key,
    };
    match verify(&files, keys, None, &Gauge::new()) {
        Ok(_) => Ok(()),
        Err(error) => Err((error.code, error.message)),
    }
}

#[test]
fn any_flipped_bit_is_found() {
    let (bench, keys) = written("flips");
    verdict(&bench, &keys).unwrap();
    let mut random = noise(99, 8 * 400)
        .chunks_exact(8)
        .map(|b| u64::from_le_bytes(b.try_into().unwrap()))
        .collect::<Vec<_>>();
    for file in ArtifactFile::ALL {
        let path = bench.file(*file);
        let whole = fs::read(&path).unwrap();
        // Beginning and end, where headers and tables lie, and anywhere between.
        let ends = (0..40).flat_map(|n| [n * 7 % whole.len(), whole.len() - 1 - n * 7 % whole.len()]);
        let places: Vec<usize> = ends
            .chain(random.drain(..100).map(|n| n as usize % whole.len()))
            .collect();
        for at in places {
            let mut bad = whole.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, &bad).unwrap();
            let (code, message) = verdict(&bench, &keys).expect_err(&format!("{} at {at}", file.name()));
            // One bit makes version 1 a version to come, which is no damage that this program could judge.
            let expected = match message.contains("has format version") {
                true => ErrorCode::SnapshotTooNew,
                false => ErrorCode::SnapshotDamaged,
            };
            assert_eq!(code, expected, "{} at {at}: {message}", file.name());
        }
        fs::write(&path, &whole).unwrap();
    }
    verdict(&bench, &keys).unwrap();
}

#[test]
fn cut_files_are_damaged_and_missing_ones_missing() {
    let (bench, keys) = written("cuts");
    for file in ArtifactFile::ALL {
        let path = bench.file(*file);
        let whole = fs::read(&path).unwrap();
        for length in [0, 1, 100, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..length.min(whole.len() - 1)]).unwrap();
            let (code, message) = verdict(&bench, &keys).unwrap_err();
            assert_eq!(
                code,
                ErrorCode::SnapshotDamaged,
                "{} cut to {length}: {message}",
                file.name()
            );
            assert!(message.contains("is damaged"), "{message}");
        }
        fs::write(&path, [&whole[..], b"more"].concat()).unwrap();
        assert_eq!(
            verdict(&bench, &keys).unwrap_err().0,
            ErrorCode::SnapshotDamaged,
            "{} longer",
            file.name()
        );
        fs::remove_file(&path).unwrap();
        let (code, message) = verdict(&bench, &keys).unwrap_err();
        assert_eq!(code, ErrorCode::SnapshotMissing, "{message}");
        assert!(message.contains(file.name()), "{message}");
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn the_parts_of_two_snapshots_do_not_mix() {
    let (bench, keys) = written("mix-a");
    let (other, _) = written("mix-b");
    for file in ArtifactFile::ALL {
        let path = bench.file(*file);
        let whole = fs::read(&path).unwrap();
        fs::copy(other.file(*file), &path).unwrap();
        assert_eq!(
            verdict(&bench, &keys).unwrap_err().0,
            ErrorCode::SnapshotDamaged,
            "{}",
            file.name()
        );
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn another_key_is_not_called_damage() {
    let (bench, _) = written("keys-a");
    let (_, foreign) = written("keys-b");
    assert_eq!(verdict(&bench, &foreign).unwrap_err().0, ErrorCode::KeyUnavailable);
    let index = bench.storage.open(&bench.key, ArtifactFile::Index).unwrap();
    let error = browse(index, &foreign.index, "", None, 10).unwrap_err();
    assert_eq!(error.code, ErrorCode::KeyUnavailable);
}
