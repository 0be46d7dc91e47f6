//! FTP servers that are broken, busy, or mean us harm.

use std::{collections::BTreeMap, net::Ipv4Addr};

use xvault::{
    connectors::{Connector, ftp::FtpSource},
    domain::{
        entry::{FileEnd, ProblemKind},
        error_code::ErrorCode,
        source::{CredentialField, Credentials, FtpConfig, FtpTls, PinnedIdentity},
    },
};

use super::{
    capture_ftp::{capture, connector},
    support::{
        captured::Collected,
        fake_ftp::{Behaviour, FakeFtp},
        ssh_place::secret,
        tree::{Kind, noise},
    },
};

const FILE: &str = "-rw-r--r-- 1 0 0 5 Jan 1 2020 good";

fn source(server: &FakeFtp) -> FtpSource {
    let mut credentials = Credentials::default();
    credentials.set(CredentialField::Password, secret("secret"));
    FtpSource {
        config: FtpConfig {
            host: "127.0.0.1".into(),
            port: server.port,
            user: "user".into(),
            paths: vec!["/".into()],
            exclude: vec![],
            tls: FtpTls::None,
            ca: None,
            connections: 3,
        },
        credentials,
        identity: PinnedIdentity::default(),
        now: chrono::Utc::now(),
    }
}

fn lines(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\r\n")).collect()
}

/// One directory with one good file in it.
fn honest() -> Behaviour {
    Behaviour {
        listings: BTreeMap::from([("/", lines(&["drwxr-xr-x 1 0 0 0 Jan 1 2020 .", FILE]))]),
        files: BTreeMap::from([("/good", b"hello".to_vec())]),
        ..Behaviour::default()
    }
}

/// A directory with a file of 300,000 bytes.
fn with_large() -> (Vec<u8>, Behaviour) {
    let content = noise(300_000);
    let behaviour = Behaviour {
        listings: BTreeMap::from([("/", lines(&["-rw-r--r-- 1 0 0 300000 Jan 1 2020 large"]))]),
        files: BTreeMap::from([("/large", content.clone())]),
        ..Behaviour::default()
    };
    (content, behaviour)
}

#[track_caller]
fn assert_holds(collected: &Collected, path: &str, content: &[u8]) {
    let node = &collected.tree[path.as_bytes()];
    assert_eq!(node.kind, Kind::File(content.len() as u64, blake3::hash(content), None));
}

async fn code_of(behaviour: Behaviour) -> ErrorCode {
    let server = FakeFtp::start(behaviour).await;
    let error = capture(source(&server)).await.1.unwrap_err();
    assert!(!error.hint.is_empty() && error.message.contains("127.0.0.1"), "{error}");
    error.code
}

#[tokio::test]
async fn lines_that_make_no_sense_are_told_and_the_rest_comes() {
    let mut behaviour = honest();
    let strange = [
        "total 7",
        "-rw-r--r-- 1 0 0 5 Jan 1 2020 ../../etc/passwd",
        "-rw-r--r-- 1 0 0 5 Jan 1 2020 a/b",
        "no listing at all",
        "-rw-r--r-- 1 0 0 -5 Jan 1 2020 negative",
        FILE,
    ];
    behaviour.listings.insert("/", lines(&strange));
    let server = FakeFtp::start(behaviour).await;
    let (collected, report) = capture(source(&server)).await;
    report.unwrap();
    assert_holds(&collected, "good", b"hello");
    assert_eq!(collected.tree.len(), 1, "{:?}", collected.tree);
    assert_eq!(collected.problems(ProblemKind::NameRefused), ["/"; 4]);
}

#[tokio::test]
async fn the_address_in_a_pasv_answer_is_not_obeyed() {
    let server = FakeFtp::start(Behaviour {
        pasv: Some(Ipv4Addr::new(192, 0, 2, 1)),
        ..honest()
    })
    .await;
    let (collected, report) = capture(source(&server)).await;
    report.unwrap();
    assert_holds(&collected, "good", b"hello");
    assert!(server.heard("PASV") > 0 && server.heard("EPSV") > 0);
}

#[tokio::test]
async fn endless_things_end() {
    let endless = Behaviour {
        endless: true,
        ..honest()
    };
    assert_eq!(code_of(endless).await, ErrorCode::SourceLimit);
    let deep = Behaviour {
        listings: BTreeMap::new(),
        everywhere: Some(lines(&[
            "drwxr-xr-x 1 0 0 0 Jan 1 2020 d",
            "drwxr-xr-x 1 0 0 0 Jan 1 2020 e",
        ])),
        ..Behaviour::default()
    };
    assert_eq!(code_of(deep).await, ErrorCode::SourceLimit);
    let talkative = Behaviour {
        greeting: Some(b"220-Welcome\r\n".repeat(100_000)),
        ..honest()
    };
    assert_eq!(code_of(talkative).await, ErrorCode::SourceLimit);
}

#[tokio::test]
async fn a_directory_inside_itself_is_entered_once() {
    let server = FakeFtp::start(Behaviour {
        mlsd: true,
        everywhere: Some(lines(&["type=cdir;unique=1; .", "type=dir;unique=1; again"])),
        ..Behaviour::default()
    })
    .await;
    let (collected, report) = capture(source(&server)).await;
    assert_eq!(report.unwrap().transport, "ftp-mlsd");
    assert_eq!(collected.problems(ProblemKind::Note), ["/again"]);
}

#[tokio::test]
async fn a_server_that_allows_one_connection_gets_one() {
    let mut behaviour = honest();
    let many: Vec<String> = (0..40).map(|i| format!("-rw-r--r-- 1 0 0 5 Jan 1 2020 f{i}")).collect();
    behaviour
        .listings
        .insert("/", lines(&many.iter().map(String::as_str).collect::<Vec<_>>()));
    for i in 0..40 {
        behaviour
            .files
            .insert(Box::leak(format!("/f{i}").into_boxed_str()), b"hello".to_vec());
    }
    behaviour.allowed = Some(1);
    let server = FakeFtp::start(behaviour.clone()).await;
    let (collected, report) = capture(source(&server)).await;
    report.unwrap();
    assert_eq!(collected.tree.len(), 40);
    assert_eq!(server.heard("USER"), 1);

    behaviour.allowed = Some(0);
    assert_eq!(code_of(behaviour).await, ErrorCode::SourceBusy);
}

#[tokio::test]
async fn a_dropped_connection_is_resumed_where_it_was() {
    let (content, behaviour) = with_large();
    let server = FakeFtp::start(Behaviour {
        cut_after: Some(100_000),
        ..behaviour.clone()
    })
    .await;
    let (collected, report) = capture(source(&server)).await;
    report.unwrap();
    assert_holds(&collected, "large", &content);
    assert!(collected.ends.is_empty() && collected.problems.is_empty());
    assert_eq!(server.heard("REST 100000"), 1);

    let server = FakeFtp::start(Behaviour {
        cut_after: Some(100_000),
        no_rest: true,
        ..behaviour
    })
    .await;
    let (collected, report) = capture(source(&server)).await;
    report.unwrap();
    assert_holds(&collected, "large", &content);
    assert_eq!(server.heard("RETR /large"), 2);
}

#[tokio::test]
async fn less_than_the_size_is_not_the_file_whatever_the_server_says() {
    let (_, behaviour) = with_large();
    let server = FakeFtp::start(Behaviour {
        short: Some(0),
        ..behaviour.clone()
    })
    .await;
    let (collected, report) = capture(source(&server)).await;
    report.unwrap();
    assert_eq!(collected.problems(ProblemKind::Unreadable), ["/large"]);

    // Begun already: what is missing is told at its end.
    let server = FakeFtp::start(Behaviour {
        short: Some(70_000),
        ..behaviour
    })
    .await;
    let (collected, report) = capture(source(&server)).await;
    report.unwrap();
    assert_eq!(collected.ends, [(b"large".to_vec(), FileEnd::Unreadable)]);
}

#[tokio::test]
async fn without_tls_no_name_and_no_password_go_out() {
    for (auth, code) in [
        (None, ErrorCode::TlsFailed),
        // What follows the consent in clear text was slipped in.
        (Some("234 Go ahead\r\n230 Logged in"), ErrorCode::ProtocolError),
    ] {
        let server = FakeFtp::start(Behaviour { auth, ..honest() }).await;
        let mut source = source(&server);
        source.config.tls = FtpTls::Required;
        let error = capture(source.clone()).await.1.unwrap_err();
        assert_eq!(error.code, code, "{error}");
        let cancel = tokio_util::sync::CancellationToken::new();
        let error = connector(source).probe(cancel).await.unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert_eq!(server.heard("USER") + server.heard("PASS"), 0);
    }
}

#[tokio::test]
async fn what_is_no_ftp_server_is_told() {
    let ssh = Behaviour {
        greeting: Some(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ..honest()
    };
    assert_eq!(code_of(ssh).await, ErrorCode::ProtocolError);
}
