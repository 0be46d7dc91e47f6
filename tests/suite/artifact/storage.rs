//! The storage on a local disk.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use xvault::{
    domain::{
        error_code::ErrorCode,
        ids::{SnapshotId, StorageId, WorkerId},
        snapshot::{ArtifactFile, SnapshotKey},
    },
    storage::{Storage, StorageError, local_fs::LocalFs},
};

use super::fixture::{Bench, facts, file, noise, writer};

fn store(storage: &LocalFs, key: &SnapshotKey) {
    let mut stage = storage.stage(key).unwrap();
    for file in ArtifactFile::ALL {
        stage.create(*file).unwrap().write_all(b"content").unwrap();
    }
    stage.commit().unwrap();
}

#[test]
fn snapshots_come_and_go_whole() {
    let bench = Bench::new("store");
    let other = SnapshotKey {
        snapshot_id: SnapshotId::generate(),
        ..bench.key.clone()
    };
    store(&bench.storage, &bench.key);
    store(&bench.storage, &other);
    let list = || {
        let mut keys: Vec<_> = bench
            .storage
            .list()
            .unwrap()
            .map(|key| key.unwrap().snapshot_id)
            .collect();
        keys.sort();
        keys
    };
    let mut both = vec![bench.key.snapshot_id.clone(), other.snapshot_id.clone()];
    both.sort();
    assert_eq!(list(), both);
    assert_eq!(bench.storage.head(&bench.key, ArtifactFile::Meta).unwrap(), 7);
    assert!(matches!(
        bench.storage.stage(&bench.key),
        Err(StorageError::Exists { .. })
    ));

    bench.storage.delete(&bench.key).unwrap();
    bench.storage.delete(&bench.key).unwrap();
    assert_eq!(list(), std::slice::from_ref(&other.snapshot_id));
    assert!(matches!(
        bench.storage.open(&bench.key, ArtifactFile::Meta),
        Err(StorageError::NotFound { .. })
    ));
    bench.storage.delete(&other).unwrap();
    assert_eq!(bench.leftovers(), Vec::<PathBuf>::new());
    assert!(!bench.path("storage/tenants").exists());
    let (total, free) = bench.storage.space().unwrap().unwrap();
    assert!(total >= free && free > 0);
}

#[test]
fn only_the_owner_can_look() {
    let bench = Bench::new("modes");
    store(&bench.storage, &bench.key);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&bench.path("storage")), 0o700);
    assert_eq!(mode(&bench.snapshot()), 0o700);
    for file in ArtifactFile::ALL {
        assert_eq!(mode(&bench.file(*file)), 0o600);
    }
}

#[test]
fn a_second_snapshot_of_the_same_id_does_not_replace_the_first() {
    let bench = Bench::new("twice");
    let late = bench.storage.stage(&bench.key).unwrap();
    store(&bench.storage, &bench.key);
    assert!(matches!(late.commit(), Err(StorageError::Exists { .. })));
    assert_eq!(bench.leftovers().len(), 4);
}

#[test]
fn a_storage_has_one_owner_who_is_named() {
    let bench = Bench::new("lock");
    match LocalFs::open(&bench.path("storage"), WorkerId::generate()).err() {
        Some(StorageError::InUse { holder, .. }) => {
            assert!(holder.contains(&format!("process {}", std::process::id())), "{holder}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_crash_left_goes_at_the_next_start() {
    let bench = Bench::new("crash");
    store(&bench.storage, &bench.key);
    let stale = bench.path("storage/.staging/half");
    fs::create_dir(&stale).unwrap();
    fs::write(stale.join("backup.tar.zst.enc"), b"half").unwrap();
    let Bench { dir, storage, key, .. } = bench;
    drop(storage);
    let storage = LocalFs::open(&dir.path().join("storage"), WorkerId::generate()).unwrap();
    assert!(!stale.exists());
    assert_eq!(storage.list().unwrap().count(), 1);
    storage.delete(&key).unwrap();
}

#[test]
fn while_the_disk_is_away_nothing_is_gone_and_nothing_is_removed() {
    let bench = Bench::new("away");
    let (base, away) = (bench.path("storage"), bench.path("away"));
    let id = StorageId::generate();
    bench.storage.mark(&id).unwrap();
    store(&bench.storage, &bench.key);
    let place = base.join(bench.key.prefix());

    fs::rename(&base, &away).unwrap();
    fs::create_dir(&base).unwrap();
    let not_ours = |result: Result<(), StorageError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, StorageError::NotOurs { .. }), "{error}");
    };
    let (storage, key) = (&bench.storage, &bench.key);
    not_ours(storage.check());
    not_ours(storage.delete(key));
    not_ours(storage.head(key, ArtifactFile::Backup).map(drop));
    not_ours(storage.open(key, ArtifactFile::Backup).map(drop));
    not_ours(storage.list().map(drop));
    not_ours(storage.arrived(key).map(drop));
    let other = SnapshotKey {
        snapshot_id: SnapshotId::generate(),
        ..key.clone()
    };
    not_ours(storage.stage(&other).map(drop));

    // Another disk than the one whose lock we have comes back; from then on its lock is ours.
    let copy = Command::new("cp").arg("-a").arg(&away).arg(bench.path("copy")).status();
    assert!(copy.unwrap().success());
    fs::remove_dir(&base).unwrap();
    fs::rename(bench.path("copy"), &base).unwrap();
    storage.check().unwrap();
    assert!(matches!(
        LocalFs::open(&base, WorkerId::generate()).err(),
        Some(StorageError::InUse { .. })
    ));
    storage.delete(key).unwrap();
    assert!(!place.exists());
    assert!(matches!(
        storage.head(key, ArtifactFile::Backup),
        Err(StorageError::NotFound { .. })
    ));
}

#[test]
fn whatever_moment_the_disk_goes_away_in_nothing_is_missing_and_nothing_is_written_in_its_place() {
    let bench = Bench::new("flicker");
    let (base, away) = (bench.path("storage"), bench.path("away"));
    bench.storage.mark(&StorageId::generate()).unwrap();
    store(&bench.storage, &bench.key);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    // It is there, or the disk is not; but it is never gone.
                    for told in [
                        bench.storage.check(),
                        bench.storage.head(&bench.key, ArtifactFile::Backup).map(drop),
                    ] {
                        assert!(matches!(told, Ok(()) | Err(StorageError::NotOurs { .. })), "{told:?}");
                    }
                }
            });
        }
        let swapped = (0..2000).try_for_each(|_| {
            fs::rename(&base, &away)?;
            fs::create_dir(&base)?;
            std::thread::yield_now();
            // Fails if anything was written where the disk should be.
            fs::remove_dir(&base)?;
            fs::rename(&away, &base)
        });
        over.store(true, Ordering::Relaxed);
        swapped.unwrap();
    });
}

/// A file system of a few megabytes, gone with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Self {
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(&at)
            .status();
        assert!(mounted.unwrap().success(), "mounting a tmpfs needs root");
        Self(at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_says_so_and_leaves_nothing() {
    let bench = Bench::new("full");
    let disk = SmallDisk::mount(bench.path("disk"));
    let storage = LocalFs::open(&disk.0.join("base"), WorkerId::generate()).unwrap();
    let mut writer = writer(storage.stage(&bench.key).unwrap(), &bench.key, &bench.identity);
    let pushed = file("big", &noise(1, 40_000_000))
        .into_iter()
        .try_for_each(|item| writer.push(item));
    let error = pushed.and_then(|()| writer.finish(facts()).map(drop)).unwrap_err();
    assert_eq!(error.code, ErrorCode::StorageFull, "{}", error.message);
    assert!(
        error.message.contains(&disk.0.display().to_string()),
        "{}",
        error.message
    );
    let mut left = Vec::new();
    super::fixture::files_below(&disk.0.join("base"), &mut left);
    assert_eq!(left, [disk.0.join("base/.lock")]);
}
