//! Captures through real sshd: every tar, the fallback to SFTP, and what goes wrong on the way.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use xvault::{
    connectors::{
        CaptureReport, CaptureSink, Connector, ConnectorContext,
        egress::EgressPolicy,
        ssh::{SshConnector, SshSource},
    },
    domain::{entry::ProblemKind, error_code::ErrorCode, job::JobError, source::SourceKind},
};

use crate::support::{
    captured::{Collected, collect},
    eventually::{SOON, eventually},
    scratch::temp_dir,
    sshd::{Login, Setup, Sshd},
    tree::{self, Carried},
};

/// What the server finds under the name `tar`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Tar {
    Gnu,
    Bsd,
    Busybox,
    None,
}

impl Tar {
    /// A directory with programs, for a server's PATH.
    fn path(self) -> PathBuf {
        let dir = temp_dir("path").keep();
        fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
        for tool in ["sh", "ls", "find", "readlink", "sleep", "cat", "id"] {
            symlink(Path::new("/bin").join(tool), dir.join(tool)).unwrap();
        }
        let (program, package) = match self {
            Self::Gnu => ("/bin/tar", "tar"),
            Self::Bsd => ("/usr/bin/bsdtar", "libarchive-tools"),
            Self::Busybox => ("/bin/busybox", "busybox"),
            Self::None => return dir,
        };
        assert!(
            Path::new(program).exists(),
            "{program} is missing: apt-get install {package}"
        );
        symlink(program, dir.join("tar")).unwrap();
        dir
    }

    fn server(self, login: Login) -> Sshd {
        Self::server_with_path(login, &self.path())
    }

    fn server_with_path(login: Login, path: &Path) -> Sshd {
        let extra = format!("SetEnv PATH={}\n", path.display());
        Sshd::with(Setup {
            login,
            extra: extra.leak(),
            ..Setup::default()
        })
    }

    fn carried(self) -> Carried {
        match self {
            Self::Gnu | Self::Bsd => Carried::Full,
            Self::Busybox => Carried::Seconds,
            Self::None => Carried::Sftp,
        }
    }

    fn transport(self) -> &'static str {
        if self == Self::None { "sftp" } else { "ssh-tar" }
    }
}

const ALL: [Tar; 4] = [Tar::Gnu, Tar::Bsd, Tar::Busybox, Tar::None];

async fn capture_into(
    source: SshSource,
    sink: CaptureSink,
    cancel: CancellationToken,
) -> Result<CaptureReport, JobError> {
    let tmp = temp_dir("tmp");
    let ctx = ConnectorContext {
        egress: Arc::new(EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()])),
        tmp_dir: tmp.path().to_owned(),
        askpass: PathBuf::from(env!("CARGO_BIN_EXE_xvault")),
        now: chrono::Utc::now(),
    };
    let result = SshConnector::new(source, ctx).unwrap().capture(sink, cancel).await;
    assert_eq!(
        fs::read_dir(tmp.path()).unwrap().count(),
        0,
        "something was left behind"
    );
    result
}

async fn capture(
    server: &Sshd,
    kind: SourceKind,
    paths: &[&str],
    exclude: &[&str],
) -> (Collected, Result<CaptureReport, JobError>) {
    let mut source = server.source(kind, paths);
    source.config.exclude = exclude.iter().map(|&pattern| pattern.to_owned()).collect();
    collect(async |sink| capture_into(source, sink, CancellationToken::new()).await).await
}

fn names(collected: &Collected, root: &Path) -> Vec<String> {
    let below = collected.below(root).into_keys();
    below.map(|path| String::from_utf8(path).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_transport_gives_the_same_tree() {
    for tar in ALL {
        println!("{tar:?}");
        let server = tar.server(Login::Own);
        let dir = server.home().join("tree");
        fs::create_dir(&dir).unwrap();
        tree::build(&dir);
        tree::add_specials(&dir);
        let original = tree::read(&dir);
        let (collected, report) = capture(&server, SourceKind::Ssh, &[dir.to_str().unwrap()], &[]).await;
        let report = report.unwrap();
        assert_eq!(report.transport, tar.transport());
        tree::assert_same(&original, &collected.below(&dir), tar.carried());
        assert_eq!(
            collected.problems(ProblemKind::SpecialSkipped).len(),
            2,
            "{:?}",
            collected.problems
        );
        assert_eq!(collected.problems.len(), 2, "{:?}", collected.problems);
        assert!(
            collected
                .tree
                .contains_key(dir.to_str().unwrap().trim_start_matches('/').as_bytes())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kind_sftp_runs_no_command_and_a_chroot_has_none() {
    let server = Sshd::with(Setup {
        login: Login::SftpOnly,
        ..Setup::default()
    });
    let dir = server.home().join("tree");
    fs::create_dir(&dir).unwrap();
    tree::build(&dir);
    for kind in [SourceKind::Sftp, SourceKind::Ssh] {
        let seen = format!("{}/tree", server.home_seen());
        let (collected, report) = capture(&server, kind, &[&seen], &[]).await;
        assert_eq!(report.unwrap().transport, "sftp");
        let mut original = tree::read(&dir);
        // Only root may read what others keep to themselves.
        let unreadable: Vec<_> = collected
            .problems(ProblemKind::Unreadable)
            .into_iter()
            .map(str::to_owned)
            .collect();
        assert_eq!(unreadable.len(), 2, "{unreadable:?}");
        for path in unreadable {
            let name = path.rsplit('/').next().unwrap();
            assert!(original.remove(name.as_bytes()).is_some());
        }
        tree::assert_same(&original, &collected.below(Path::new(&seen)), Carried::Sftp);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_told_over_every_transport() {
    for tar in ALL {
        println!("{tar:?}");
        let server = tar.server(Login::Fresh);
        let dir = server.home().join("tree");
        fs::create_dir_all(dir.join("closed")).unwrap();
        fs::create_dir_all(dir.join("zz")).unwrap();
        let secrets = ["closed/f", "it's: secret", "new\nline", "zz/secret"];
        for name in ["a", "zz/z"].iter().chain(&secrets) {
            fs::write(dir.join(name), name).unwrap();
        }
        for name in secrets.iter().chain(&["closed"]) {
            fs::set_permissions(dir.join(name), PermissionsExt::from_mode(0o700)).unwrap();
        }
        let (collected, report) = capture(&server, SourceKind::Ssh, &[dir.to_str().unwrap()], &[]).await;
        report.unwrap();
        let mut told = collected.problems(ProblemKind::Unreadable);
        told.sort_unstable();
        if matches!(tar, Tar::Gnu | Tar::None) {
            let at = |name: &str| format!("{}/{name}", dir.display());
            assert_eq!(
                told,
                [at("closed"), at("it's: secret"), at("new\\x0aline"), at("zz/secret")]
            );
        }
        assert_eq!(told.len(), 4, "{:?}", collected.problems);
        let names = names(&collected, &dir);
        assert!(
            names.contains(&"a".to_owned()) && names.contains(&"zz/z".to_owned()),
            "{names:?}"
        );
        assert!(!names.contains(&"zz/secret".to_owned()), "{names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn excludes_mean_the_same_over_every_transport() {
    let mut seen = Vec::new();
    for tar in ALL {
        println!("{tar:?}");
        let server = tar.server(Login::Fresh);
        let dir = server.home().join("tree");
        for name in [
            "keep/build",
            "keep",
            "cache/deep",
            "node_modules/x",
            "a/b/c",
            "a/b",
            "a/x/c",
            "a/x",
            "logs",
        ] {
            fs::create_dir_all(dir.join(name)).unwrap();
            for file in ["f.txt", "f.log", "build", "keep.1", "q1", "q12", "c"] {
                if !dir.join(name).join(file).exists() {
                    fs::write(dir.join(name).join(file), name).unwrap();
                }
            }
        }
        fs::set_permissions(dir.join("cache"), PermissionsExt::from_mode(0o700)).unwrap();
        fs::set_permissions(dir.join("a/b/q1"), PermissionsExt::from_mode(0o700)).unwrap();
        let anchored = [format!("{}/cache", dir.display()), format!("{}/a/*/c", dir.display())];
        let exclude = [
            &anchored[0],
            &anchored[1],
            "node_modules",
            "*.log",
            "build/",
            "q?",
            "{keep.1,none}",
            "/elsewhere/**",
        ];
        let (collected, report) = capture(&server, SourceKind::Ssh, &[dir.to_str().unwrap()], &exclude).await;
        report.unwrap();
        assert!(collected.problems.is_empty(), "{:?}", collected.problems);
        seen.push(names(&collected, &dir));
    }
    let expected = [
        "a",
        "a/b",
        "a/b/build",
        "a/b/f.txt",
        "a/b/q12",
        "a/x",
        "a/x/build",
        "a/x/f.txt",
        "a/x/q12",
        "keep",
        "keep/c",
        "keep/f.txt",
        "keep/q12",
        "logs",
        "logs/build",
        "logs/c",
        "logs/f.txt",
        "logs/q12",
    ];
    for (tar, seen) in ALL.iter().zip(seen) {
        assert_eq!(seen, expected, "{tar:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_link_to_an_excluded_name_brings_the_content() {
    for tar in ALL {
        let server = tar.server(Login::Own);
        let dir = server.home().join("tree");
        fs::create_dir_all(dir.join("in")).unwrap();
        for name in ["0first", "1first"] {
            fs::write(dir.join(name), "content").unwrap();
            fs::hard_link(dir.join(name), dir.join("in/second")).ok();
        }
        fs::hard_link(dir.join("0first"), dir.join("in/third")).unwrap();
        // Alternatives are not handed to the tar, so it stores the first name and links the others.
        let (collected, report) =
            capture(&server, SourceKind::Ssh, &[dir.to_str().unwrap()], &["{0first,1first}"]).await;
        report.unwrap();
        assert_eq!(names(&collected, &dir), ["in", "in/second", "in/third"], "{tar:?}");
        assert!(collected.problems.is_empty(), "{:?}", collected.problems);
        let content = blake3::hash(b"content");
        for node in collected.below(&dir).values() {
            assert!(!matches!(node.kind, tree::Kind::File(_, hash, _) if hash != content));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn includes_are_resolved_over_every_transport() {
    for tar in ALL {
        let server = tar.server(Login::Fresh);
        let home = server.home();
        for name in ["releases/v5", "www/sub", "-other ' one"] {
            fs::create_dir_all(home.join(name)).unwrap();
            fs::write(home.join(name).join("f"), name).unwrap();
        }
        symlink("releases/v5", home.join("current")).unwrap();
        symlink("gone", home.join("dangling")).unwrap();
        let www = home.join("www");
        let includes = [
            "www/sub",
            www.to_str().unwrap(),
            "current",
            "-other ' one/",
            "dangling",
            "current/f",
        ];
        let (collected, report) = capture(&server, SourceKind::Ssh, &includes, &[]).await;
        report.unwrap();
        let expected = [
            "-other ' one",
            "-other ' one/f",
            "current",
            "dangling",
            "releases/v5",
            "releases/v5/f",
            "www",
            "www/sub",
            "www/sub/f",
        ];
        assert_eq!(names(&collected, &home), expected, "{tar:?}");
        assert_eq!(
            collected.problems(ProblemKind::Note).len(),
            3,
            "{tar:?}: {:?}",
            collected.problems
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_cannot_be_read_fails_before_anything_is_sent() {
    for tar in ALL {
        let server = tar.server(Login::Fresh);
        let home = server.home();
        fs::write(home.join("f"), "x").unwrap();
        fs::create_dir(home.join("closed")).unwrap();
        fs::set_permissions(home.join("closed"), PermissionsExt::from_mode(0o700)).unwrap();
        for (name, code) in [
            ("missing", ErrorCode::PathNotFound),
            ("closed", ErrorCode::PermissionDenied),
            ("closed/below", ErrorCode::PermissionDenied),
        ] {
            let (collected, result) = capture(&server, SourceKind::Ssh, &["f", name], &[]).await;
            let error = result.unwrap_err();
            assert_eq!(error.code, code, "{tar:?}: {error}");
            assert!(
                error.message.contains(&format!("/{name}")) && error.message.contains("127.0.0.1"),
                "{error}"
            );
            assert!(collected.order.is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_over_8_gib_come_whole() {
    let server = Tar::Gnu.server(Login::Own);
    let dir = server.home().join("tree");
    fs::create_dir(&dir).unwrap();
    tree::add_large(&dir);
    let (collected, report) = capture(&server, SourceKind::Ssh, &[dir.to_str().unwrap()], &[]).await;
    report.unwrap();
    let tree::Kind::File(length, ..) = collected.below(&dir)[&b"large"[..]].kind else {
        panic!("no file")
    };
    assert_eq!(length, (8 << 30) + 4096);
}

/// Writes a program that the server takes for tar: it names itself GNU, then runs `body`.
fn false_tar(body: &str) -> PathBuf {
    let path = Tar::None.path();
    let script = format!(
        "#!/bin/sh\ncase $1 in --version) echo 'tar (GNU tar) 1.34'; exit;; esac\n\
         case $* in *--help*) exit;; esac\nPATH=/bin:/usr/bin\n{body}\n"
    );
    fs::write(path.join("tar"), script).unwrap();
    fs::set_permissions(path.join("tar"), PermissionsExt::from_mode(0o755)).unwrap();
    path
}

async fn capture_with(body: &str) -> (Collected, Result<CaptureReport, JobError>) {
    let server = Tar::server_with_path(Login::Own, &false_tar(body));
    let dir = server.home().join("tree");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("f"), tree::noise(300_000)).unwrap();
    capture(&server, SourceKind::Ssh, &[dir.to_str().unwrap()], &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_and_messages_decide() {
    for (body, code) in [
        ("tar \"$@\"; exit 2", Some(ErrorCode::TransferInterrupted)),
        (
            "tar \"$@\"; echo 'tar: memory exhausted' >&2; exit 2",
            Some(ErrorCode::TransferInterrupted),
        ),
        ("tar \"$@\"; kill -9 $$", Some(ErrorCode::TransferInterrupted)),
        (
            "tar \"$@\" | head -c 2000; exit 0",
            Some(ErrorCode::TransferInterrupted),
        ),
        (
            "tar \"$@\" | head -c 200000; exit 0",
            Some(ErrorCode::TransferInterrupted),
        ),
        ("exit 0", Some(ErrorCode::TransferInterrupted)),
        (
            "echo 'Welcome to this server, and what a long greeting it has that nobody asked for'; head -c 9999 /dev/zero | tr '\\0' x; tar \"$@\"",
            Some(ErrorCode::ProtocolError),
        ),
        (
            "tar \"$@\"; echo 'tar: /x: file changed as we read it' >&2; exit 1",
            None,
        ),
        (
            "tar \"$@\"; echo 'tar: /x: Cannot open: Permission denied' >&2; echo 'tar: Exiting with failure status due to previous errors' >&2; exit 2",
            None,
        ),
    ] {
        let (collected, result) = capture_with(body).await;
        match code {
            None => {
                result.unwrap();
                assert_eq!(collected.problems.len(), 1, "{:?}", collected.problems);
            }
            Some(code) => {
                let error = result.expect_err(body);
                assert_eq!(error.code, code, "{body}: {error}");
                assert!(error.message.contains("127.0.0.1") && !error.hint.is_empty(), "{error}");
            }
        }
    }
}

/// A tar header as hostile as its fields, with the right checksum, as an `echo` for a shell.
fn hostile_header(name: &str, size: u64) -> String {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(tar::EntryType::Regular);
    for set in [tar::Header::set_uid, tar::Header::set_gid, tar::Header::set_mtime] {
        set(&mut header, 0);
    }
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    let octal: String = header.as_bytes().iter().map(|byte| format!("\\{byte:03o}")).collect();
    format!("printf '{octal}'; head -c 2048 /dev/zero")
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_streams_end_in_their_own_errors() {
    for (name, size, code) in [
        ("../../etc/cron.d/evil", 0, ErrorCode::ProtocolError),
        ("srv/../../evil", 0, ErrorCode::ProtocolError),
        ("srv/large", 1 << 63, ErrorCode::SourceLimit),
        ("srv/large", u64::MAX, ErrorCode::SourceLimit),
        ("srv/cut", 1 << 40, ErrorCode::TransferInterrupted),
    ] {
        let (collected, result) = capture_with(&hostile_header(name, size)).await;
        let error = result.expect_err(name);
        assert_eq!(error.code, code, "{name}, {size}: {error}");
        assert!(error.message.contains("127.0.0.1") && !error.hint.is_empty(), "{error}");
        assert!(!collected.order.iter().any(|path| path.ends_with(b"evil")));
    }
}

/// Processes whose arguments name `marker`.
fn running(marker: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines
        .filter(|line| String::from_utf8_lossy(line).contains(marker))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_the_remote_tar_at_once() {
    for kind in [SourceKind::Ssh, SourceKind::Sftp] {
        let server = Tar::Gnu.server(Login::Own);
        let dir = server.home().join("tree-to-cancel");
        fs::create_dir(&dir).unwrap();
        fs::File::create(dir.join("large")).unwrap().set_len(64 << 30).unwrap();
        fs::write(dir.join("noise"), tree::noise(50_000_000)).unwrap();
        let marker = dir.to_str().unwrap().to_owned();
        let cancel = CancellationToken::new();
        let (sink, mut items) = CaptureSink::channel();
        let task = tokio::spawn(capture_into(server.source(kind, &[&marker]), sink, cancel.clone()));
        // Take a few and no more: the pipeline fills up and stands.
        for _ in 0..5 {
            items.recv().await.expect("an item");
        }
        if kind == SourceKind::Ssh {
            assert!(running(&marker) > 0);
        }
        cancel.cancel();
        let result = tokio::time::timeout(Duration::from_secs(20), task)
            .await
            .expect("it ends")
            .unwrap();
        assert_eq!(result.unwrap_err().code, ErrorCode::Cancelled);
        assert_eq!(running(&marker), 0, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_an_interruption() {
    for kind in [SourceKind::Ssh, SourceKind::Sftp] {
        let server = Tar::Gnu.server(Login::Own);
        let dir = server.home().join("tree");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("noise"), tree::noise(80_000_000)).unwrap();
        let (sink, mut items) = CaptureSink::channel();
        let source = server.source(kind, &[dir.to_str().unwrap()]);
        let task = tokio::spawn(capture_into(source, sink, CancellationToken::new()));
        for _ in 0..5 {
            items.recv().await.expect("an item");
        }
        server.kill_connections();
        let drain = tokio::spawn(async move { while items.recv().await.is_some() {} });
        let error = task.await.unwrap().unwrap_err();
        assert_eq!(error.code, ErrorCode::TransferInterrupted, "{kind:?}: {error}");
        drain.await.unwrap();
        eventually("the remote tar ends", SOON, async || {
            running(dir.to_str().unwrap()) == 0
        })
        .await;
    }
}
