//! Writing to real FTP servers.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, chown, symlink},
    },
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use xvault::{
    connectors::{
        egress::EgressPolicy,
        ftp::FtpTarget,
        target::{FileTarget, FoundKind, Refusal, Settle, TargetError},
    },
    domain::entry::Mtime,
};

use super::{
    capture_ftp::{NAMES, source},
    support::{
        ftpd::{Ftpd, Server, Setup},
        tree::noise,
    },
};

/// Some time long ago, to the second.
const THEN: i64 = 1_234_567_890;

fn writable(server: Server, extra: &'static str) -> Ftpd {
    let server = Ftpd::with(Setup {
        extra,
        ..Setup::tls(server)
    });
    server.own(server.home());
    server
}

fn vsftpd() -> Ftpd {
    writable(Server::Vsftpd, "write_enable=YES")
}

fn proftpd() -> Ftpd {
    writable(Server::Proftpd, "")
}

async fn open(server: &Ftpd) -> Arc<dyn FileTarget> {
    let egress = EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let source = source(server, server.config(&["."]));
    Arc::new(FtpTarget::open(source, Arc::new(egress)).await.unwrap())
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn settle(mode: u32) -> Settle {
    Settle {
        owner: None,
        mode: Some(mode),
        mtime: Some(Mtime {
            seconds: THEN,
            nanos: 0,
        }),
    }
}

/// Writes a file as a restore does.
async fn write(target: &dyn FileTarget, path: &Path, content: &[u8], mode: u32) -> Result<(), TargetError> {
    let temporary = path.with_file_name(format!(".{}.part", blake3::hash(bytes(path)).to_hex()));
    let mut writer = target.create(bytes(&temporary)).await?;
    for piece in content.chunks(100_000) {
        writer.write(Bytes::copy_from_slice(piece)).await?;
    }
    writer.finish(&settle(mode)).await?;
    target.put_in_place(bytes(&temporary), bytes(path)).await
}

fn modes(directory: &Path) -> BTreeMap<Vec<u8>, (u32, i64)> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let described = |entry: fs::DirEntry| {
        let metadata = entry.metadata().unwrap();
        (
            entry.file_name().as_bytes().to_vec(),
            (metadata.mode() & 0o7777, metadata.mtime()),
        )
    };
    entries.map(described).collect()
}

#[tokio::test]
async fn files_arrive_whole_with_mode_time_and_any_name() {
    for server in [vsftpd(), proftpd()] {
        let target = open(&server).await;
        let directory = server.home().join("made here");
        target.make_dir(bytes(&directory), 0o700).await.unwrap();
        for (i, name) in NAMES.iter().enumerate() {
            let path = directory.join(OsStr::from_bytes(name));
            let written = write(target.as_ref(), &path, &vec![b'x'; i * 100], 0o640 + i as u32 % 8).await;
            written.unwrap_or_else(|error| panic!("{}: {error}\n{}", name.escape_ascii(), server.log()));
        }
        let large = noise(3_000_000);
        write(target.as_ref(), &directory.join("large"), &large, 0o600)
            .await
            .unwrap();
        write(target.as_ref(), &directory.join("large"), &large[1..], 0o604)
            .await
            .unwrap();
        target
            .settle(bytes(&directory), FoundKind::Directory, &settle(0o750))
            .await
            .unwrap();
        assert_eq!(target.missed(), [""; 0], "{}", server.log());
        target.close().await;

        assert_eq!(fs::read(directory.join("large")).unwrap(), &large[1..]);
        let there = modes(&directory);
        assert_eq!(there.len(), NAMES.len() + 1, "{:?}", there.keys());
        assert_eq!(there[&b"large"[..]], (0o604, THEN));
        for (i, name) in NAMES.iter().enumerate() {
            assert_eq!(there[*name], (0o640 + i as u32 % 8, THEN), "{}", name.escape_ascii());
            assert_eq!(
                fs::metadata(directory.join(OsStr::from_bytes(name))).unwrap().len(),
                i as u64 * 100
            );
        }
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o7777, 0o750);
    }
}

#[tokio::test]
async fn what_is_there_is_seen_as_it_is() {
    for server in [vsftpd(), proftpd()] {
        let home = server.home();
        fs::write(home.join("file"), "12345").unwrap();
        filetime::set_file_mtime(home.join("file"), filetime::FileTime::from_unix_time(THEN, 0)).unwrap();
        fs::create_dir_all(home.join(".hidden/below")).unwrap();
        symlink(".hidden", home.join("link")).unwrap();
        let target = open(&server).await;
        let look = async |name: &str| target.look(bytes(&home.join(name))).await.unwrap();
        let file = look("file").await.unwrap();
        assert_eq!(
            (file.kind, file.size, file.mtime),
            (FoundKind::File, Some(5), Some(THEN))
        );
        assert_eq!(look(".hidden").await.unwrap().kind, FoundKind::Directory);
        assert!(matches!(look("link").await.unwrap().kind, FoundKind::Symlink { .. }));
        assert_eq!(look("nothing").await, None);
        assert_eq!(look("nothing/below it").await, None);
        assert_eq!(look(".hidden/below").await.unwrap().kind, FoundKind::Directory);

        // Its own changes are seen too.
        write(target.as_ref(), &home.join("new"), b"123", 0o600).await.unwrap();
        assert_eq!(look("new").await.unwrap().size, Some(3));
        target.make_dir(bytes(&home.join("made")), 0o700).await.unwrap();
        assert_eq!(look("made").await.unwrap().kind, FoundKind::Directory);
        assert_eq!(look("made/x").await, None);
        assert_eq!(
            target.real_path(bytes(home)).await.unwrap(),
            bytes(&home.canonicalize().unwrap())
        );
        target.close().await;
    }
}

#[tokio::test]
async fn a_file_that_was_given_up_can_be_removed_and_written_again() {
    for server in [vsftpd(), proftpd()] {
        let target = open(&server).await;
        let path = server.home().join("half");
        let mut writer = target.create(bytes(&path)).await.unwrap();
        writer.write(noise(1_000_000).into()).await.unwrap();
        drop(writer);
        target.remove(bytes(&path)).await.unwrap();
        assert!(!path.exists());
        target.remove(bytes(&path)).await.unwrap();
        fs::write(&path, "of an earlier attempt, longer than what comes").unwrap();
        chown(&path, Some(server.account.uid), None).unwrap();
        let mut writer = target.create(bytes(&path)).await.unwrap();
        writer.write("short".into()).await.unwrap();
        writer.finish(&settle(0o644)).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        target.close().await;
    }
}

#[tokio::test]
async fn what_the_server_refuses_is_told() {
    for server in [vsftpd(), proftpd()] {
        let shut = server.home().join("shut");
        fs::create_dir(&shut).unwrap();
        fs::set_permissions(&shut, PermissionsExt::from_mode(0o555)).unwrap();
        let target = open(&server).await;
        for refused in [
            write(target.as_ref(), &shut.join("file"), b"x", 0o600).await,
            target.make_dir(bytes(&shut.join("directory")), 0o700).await,
            target.make_symlink(bytes(&shut.join("link")), b"x").await,
            write(target.as_ref(), &server.home().join("two\nlines"), b"x", 0o600).await,
        ] {
            assert!(
                matches!(refused, Err(TargetError::Refused { why, .. }) if why != Refusal::Full),
                "{refused:?}"
            );
        }
        // The conversation goes on.
        write(target.as_ref(), &server.home().join("file"), b"x", 0o600)
            .await
            .unwrap();
        target.close().await;
    }
}

#[tokio::test]
async fn modes_and_times_that_cannot_be_set_are_told_and_the_files_come() {
    let server = writable(
        Server::Vsftpd,
        "write_enable=YES\nchmod_enable=NO\nmdtm_write=NO\nlocal_umask=022",
    );
    let target = open(&server).await;
    for name in ["a", "b"] {
        write(target.as_ref(), &server.home().join(name), b"x", 0o600)
            .await
            .unwrap();
    }
    assert!(!target.abilities().modes && !target.abilities().file_times);
    let missed = target.missed();
    assert!(
        missed.len() == 2 && missed.iter().all(|what| what.starts_with("2 files")),
        "{missed:?}"
    );
    assert_eq!(
        modes(server.home())[&b"a"[..]].0,
        0o644,
        "readable for whom the server says"
    );
    target.close().await;
}

#[tokio::test]
async fn a_server_that_allows_one_connection_takes_all_files() {
    let server = writable(Server::Vsftpd, "write_enable=YES\nmax_per_ip=1");
    let target = open(&server).await;
    let writing = (0..20).map(|i| {
        let (target, path) = (Arc::clone(&target), server.home().join(i.to_string()));
        async move { write(target.as_ref(), &path, &noise(i * 10_000), 0o644).await }
    });
    for written in futures::future::join_all(writing).await {
        written.unwrap();
    }
    target.close().await;
    assert_eq!(modes(server.home()).len(), 20);
}
