//! What FTP carries, from real servers.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
    },
    path::Path,
    sync::Arc,
};

use tokio_util::sync::CancellationToken;
use xvault::{
    connectors::{
        CaptureReport, CaptureSink, Connector,
        egress::EgressPolicy,
        ftp::{FtpConnector, FtpSource},
    },
    domain::{
        entry::ProblemKind,
        job::JobError,
        source::{CredentialField, Credentials, FtpConfig, PinnedIdentity},
    },
};

use super::support::{
    captured::{Collected, collect},
    ftpd::{Ftpd, Server, Setup},
    ssh_place::secret,
    tree::{Carried, Kind, assert_same, noise, read},
};

pub fn source(server: &Ftpd, config: FtpConfig) -> FtpSource {
    let mut credentials = Credentials::default();
    credentials.set(CredentialField::Password, secret(&server.account.password));
    let target = server.has_tls().then(|| server.fingerprint());
    FtpSource {
        config,
        credentials,
        identity: PinnedIdentity { target, jump: None },
        now: chrono::Utc::now(),
    }
}

pub fn connector(source: FtpSource) -> FtpConnector {
    let egress = EgressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()]);
    FtpConnector::new(source, Arc::new(egress)).unwrap()
}

pub async fn capture(source: FtpSource) -> (Collected, Result<CaptureReport, JobError>) {
    let connector = connector(source);
    collect(async |sink: CaptureSink| connector.capture(sink, CancellationToken::new()).await).await
}

/// Names that go wrong: blanks at every place, dots, bytes that are no UTF-8, what options and patterns look like.
pub const NAMES: [&[u8]; 14] = [
    b"plain.txt",
    b"  leading blanks",
    b"trailing blanks  ",
    b" ",
    b".htaccess",
    b"-rf",
    b"-a",
    b"*.txt",
    b"[a] {b,c} ~",
    b"quotes ' \" $HOME ; & |",
    b"not utf-8 \xe4\xfe \xc3",
    b"byte 255 \xff\xff and one \xff",
    "ümläut \u{1f980}".as_bytes(),
    b"back\\slash\ttab",
];

fn fill(home: &Path) {
    let path = |name: &[u8]| home.join(OsStr::from_bytes(name));
    for (i, name) in NAMES.iter().enumerate() {
        fs::write(path(name), vec![b'a' + i as u8; 100 * i + 1]).unwrap();
    }
    for name in [&b" dir "[..], b"-la", b".hidden", b"d\xff\xfe", b"a -> b"] {
        fs::create_dir(path(name)).unwrap();
        fs::write(path(name).join("in it"), name).unwrap();
    }
    for size in [0, 1, 65_535, 65_536, 65_537, 1_000_000] {
        fs::write(home.join(format!("size-{size}")), noise(size)).unwrap();
    }
    fs::create_dir_all(home.join("empty/also empty")).unwrap();
    fs::set_permissions(home.join("plain.txt"), PermissionsExt::from_mode(0o4755)).unwrap();
    symlink("plain.txt", home.join("link")).unwrap();
    symlink("nowhere/at all", home.join("dangling")).unwrap();
    symlink(".", home.join("loop")).unwrap();
    fs::create_dir(home.join("many")).unwrap();
    for i in 0..300 {
        fs::write(home.join(format!("many/{i}")), i.to_string()).unwrap();
    }
    let long_ago = filetime::FileTime::from_unix_time(1_000_000_000, 0);
    filetime::set_file_mtime(home.join("plain.txt"), long_ago).unwrap();
}

/// Compares what came with what lies there. Listings without exact times name those of directories roughly.
fn assert_came_whole(server: &Ftpd, collected: &Collected, exact: bool) {
    let mut original = read(server.home());
    let mut came = collected.below(server.home());
    for tree in [&mut original, &mut came] {
        for node in tree.values_mut() {
            let is_file = matches!(node.kind, Kind::File(..));
            if !exact && !is_file || matches!(node.kind, Kind::Symlink(_)) {
                node.mtime = (0, 0);
            }
            // ProFTPD names groups of accounts it does not know as its own.
            node.gid = 0;
        }
    }
    assert_same(&original, &came, Carried::Sftp);
}

async fn everything_comes(server: &Ftpd, exact: bool, transport: &str) {
    fill(server.home());
    let (collected, report) = capture(source(server, server.config(&["."]))).await;
    let report = report.unwrap_or_else(|error| panic!("{error}\n{}", server.log()));
    assert_eq!(report.transport, transport);
    assert!(
        collected.problems.is_empty(),
        "{:?}\n{}",
        collected.problems,
        server.log()
    );
    assert!(collected.ends.is_empty(), "{:?}", collected.ends);
    assert_came_whole(server, &collected, exact);
}

#[tokio::test]
async fn vsftpd_that_wants_sessions_resumed_gives_everything() {
    let server = Ftpd::start(Server::Vsftpd);
    everything_comes(&server, false, "ftps-list").await;
}

#[tokio::test]
async fn proftpd_gives_everything_over_mlsd() {
    let server = Ftpd::start(Server::Proftpd);
    everything_comes(&server, true, "ftps-mlsd").await;
}

#[tokio::test]
async fn proftpd_gives_everything_over_tls_1_2() {
    let server = Ftpd::with(Setup {
        extra: "TLSProtocol TLSv1.2",
        ..Setup::tls(Server::Proftpd)
    });
    everything_comes(&server, true, "ftps-mlsd").await;
}

#[tokio::test]
async fn plain_ftp_works_where_it_is_asked_for() {
    let server = Ftpd::with(Setup {
        certificate: None,
        ..Setup::tls(Server::Vsftpd)
    });
    everything_comes(&server, false, "ftp-list").await;
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_the_rest_comes() {
    for kind in [Server::Vsftpd, Server::Proftpd] {
        let server = Ftpd::start(kind);
        let home = server.home();
        fs::write(home.join("open"), "open").unwrap();
        fs::write(home.join("closed"), "closed").unwrap();
        fs::create_dir(home.join("shut")).unwrap();
        fs::write(home.join("shut/x"), "x").unwrap();
        fs::write(home.join("two\nlines"), "x").unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            home.join("fifo"),
            rustix::fs::FileType::Fifo,
            0o644.into(),
            0,
        )
        .unwrap();
        fs::set_permissions(home.join("closed"), PermissionsExt::from_mode(0o600)).unwrap();
        fs::set_permissions(home.join("shut"), PermissionsExt::from_mode(0o711)).unwrap();
        let (collected, report) = capture(source(&server, server.config(&["."]))).await;
        report.unwrap();
        let root = home.to_str().unwrap();
        let unreadable = collected.problems(ProblemKind::Unreadable);
        let place = |name: &str| format!("{root}/{name}");
        let named = |name: &str| {
            let place = place(name);
            unreadable
                .iter()
                .any(|path| path.trim_start_matches('/') == place.trim_start_matches('/'))
        };
        assert!(
            named("closed") && named("shut"),
            "{kind:?}: {:?}\n{}",
            collected.problems,
            server.log()
        );
        assert_eq!(
            collected.problems(ProblemKind::SpecialSkipped),
            [place("fifo")],
            "{kind:?}"
        );
        assert_eq!(
            collected.problems(ProblemKind::NameRefused),
            [root],
            "{kind:?}: {:?}",
            collected.problems
        );
        assert!(collected.below(home).contains_key(&b"open"[..]));
    }
}
