//! Connecting to real servers: who is let in, who is not, in which words, and that nothing stays.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
};

use xvault::{
    connectors::ssh::{SshSource, session::SshSession},
    domain::{
        error_code::ErrorCode,
        job::JobError,
        source::{
            CredentialField::{self, Passphrase, Password, PrivateKey},
            Credentials, SourceKind,
        },
    },
};

use crate::support::{
    eventually::{SOON, eventually},
    ports::free_port,
    ssh_keys,
    ssh_place::{Place, secret},
    sshd::{ALL_HOST_KEYS, Login, Setup, Sshd, descendants},
};

const FRESH: Setup = Setup {
    login: Login::Fresh,
    host_keys: &["ed25519"],
    sftp: "internal-sftp",
    extra: "",
};

async fn whoami(session: &SshSession) -> String {
    let finished = session.run("id -un").await.unwrap();
    assert!(finished.exit.success());
    String::from_utf8(finished.stdout).unwrap().trim().to_owned()
}

fn with<const N: usize>(server: &Sshd, credentials: [(CredentialField, &str); N]) -> SshSource {
    let mut source = server.source(SourceKind::Ssh, &["/"]);
    source.credentials = Credentials::default();
    for (field, value) in credentials {
        source.credentials.set(field, secret(value));
    }
    source
}

fn by_password(server: &Sshd, password: &str) -> SshSource {
    with(server, [(Password, password)])
}

fn by_key(server: &Sshd, key: &str, passphrase: Option<&str>) -> SshSource {
    with(
        server,
        [(PrivateKey, key), (Passphrase, passphrase.unwrap_or_default())],
    )
}

fn assert_error(error: &JobError, code: ErrorCode, words: &[&str]) {
    assert_eq!(error.code, code, "{error}");
    for word in words {
        assert!(error.message.contains(word), "{word:?} is missing in {error}");
    }
}

/// What sshd logs as soon as a client says who it is.
const CREDENTIALS_OFFERED: &str = "userauth-request";

#[tokio::test]
async fn a_key_opens_a_server_and_nothing_is_left() {
    let (server, place) = (Sshd::start(), Place::new());
    let session = place.connect(&server.source(SourceKind::Ssh, &["/"])).await.unwrap();
    assert_eq!(place.left_behind(), 1);
    assert!(session.has_shell().await.unwrap());
    assert_eq!(whoami(&session).await, server.user);
    session.close().await;
    assert_eq!(place.left_behind(), 0);
    // Otherwise the tests that look for its absence would prove nothing.
    assert!(server.log().contains(CREDENTIALS_OFFERED));
}

#[tokio::test]
async fn keys_are_taken_as_people_paste_them() {
    let (server, place) = (Sshd::start(), Place::new());
    let pasted = ssh_keys::accepted().private.trim_end().replace('\n', "\r\n");
    let session = place.connect(&by_key(&server, &pasted, None)).await.unwrap();
    session.close().await;
    let encrypted = by_key(
        &server,
        &ssh_keys::with_passphrase().private,
        Some(ssh_keys::PASSPHRASE),
    );
    place.connect(&encrypted).await.unwrap().close().await;
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_found_before_connecting() {
    let (server, place) = (Sshd::start(), Place::new());
    server.clear_log();
    let encrypted = &ssh_keys::with_passphrase().private;
    let cases = [
        (
            by_key(&server, encrypted, Some("wrong")),
            "not opened by the passphrase",
        ),
        (by_key(&server, encrypted, None), "encrypted and no passphrase"),
        (
            by_key(
                &server,
                "-----BEGIN OPENSSH PRIVATE KEY-----\nbm8=\n-----END OPENSSH PRIVATE KEY-----",
                None,
            ),
            "not a private key",
        ),
        (by_key(&server, &ssh_keys::accepted().public, None), "not a private key"),
        (by_key(&server, "garbage", Some("x")), "not a private key"),
    ];
    for (source, words) in cases {
        let error = place.refused(&source).await;
        assert_error(&error, ErrorCode::KeyUnusable, &[words, "127.0.0.1"]);
    }
    assert!(!server.log().contains("Connection from"), "{}", server.log());
}

#[tokio::test]
async fn a_password_opens_a_server_and_a_wrong_one_does_not() {
    let (server, place) = (Sshd::with(FRESH), Place::new());
    let session = place.connect(&by_password(&server, server.password())).await.unwrap();
    assert_eq!(whoami(&session).await, server.user);
    session.close().await;

    let error = place.refused(&by_password(&server, "wrong-password-4711")).await;
    assert_error(&error, ErrorCode::AuthFailed, &["127.0.0.1", &server.user, "password"]);
    assert!(!format!("{error:?}").contains("4711"));
}

#[tokio::test]
async fn a_key_the_server_does_not_know_is_rejected_and_a_password_may_still_help() {
    let (server, place) = (Sshd::with(FRESH), Place::new());
    let mut source = by_key(&server, &ssh_keys::unknown().private, None);
    let error = place.refused(&source).await;
    assert_error(&error, ErrorCode::KeyRejected, &["127.0.0.1", &server.user, "SHA256:"]);
    source.credentials.set(Password, secret(server.password()));
    place.connect(&source).await.unwrap().close().await;
    assert_eq!(place.left_behind(), 0);
}

#[tokio::test]
async fn a_host_nobody_approved_gets_no_credentials() {
    let (server, place) = (Sshd::with(FRESH), Place::new());
    for mut source in [
        by_password(&server, server.password()),
        server.source(SourceKind::Ssh, &["/"]),
    ] {
        source.identity.target = None;
        let error = place.refused(&source).await;
        assert_error(
            &error,
            ErrorCode::IdentityNotTrusted,
            &["127.0.0.1", &server.fingerprint()],
        );
    }
    assert!(server.log().contains("Connection from"));
    assert!(!server.log().contains(CREDENTIALS_OFFERED), "{}", server.log());
}

#[tokio::test]
async fn a_changed_host_gets_no_credentials() {
    let (mut server, place) = (
        Sshd::with(Setup {
            host_keys: ALL_HOST_KEYS,
            ..FRESH
        }),
        Place::new(),
    );
    let source = by_password(&server, server.password());
    let approved = server.fingerprint();
    server.change_host_keys();
    let error = place.refused(&source).await;
    assert_error(
        &error,
        ErrorCode::IdentityChanged,
        &["127.0.0.1", &approved, &server.fingerprint()],
    );
    assert!(!server.log().contains(CREDENTIALS_OFFERED), "{}", server.log());
    // Once approved, it works again at once.
    let source = by_password(&server, server.password());
    place.connect(&source).await.unwrap().close().await;
}

#[tokio::test]
async fn the_approved_key_need_not_be_the_preferred_one() {
    let setup = Setup {
        host_keys: ALL_HOST_KEYS,
        ..Setup::default()
    };
    let (server, place) = (Sshd::with(setup), Place::new());
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let mut source = server.source(SourceKind::Ssh, &["/"]);
        source.identity.target = Some(server.fingerprint_of(kind));
        place
            .connect(&source)
            .await
            .unwrap_or_else(|e| panic!("{kind}: {e}"))
            .close()
            .await;
    }
}

#[tokio::test]
async fn ports_where_no_ssh_answers_are_named() {
    let (server, place) = (Sshd::start(), Place::new());
    let mut source = server.source(SourceKind::Ssh, &["/"]);
    source.config.port = free_port();
    let error = place.refused(&source).await;
    let named = format!("127.0.0.1:{}", source.config.port);
    assert_error(&error, ErrorCode::ConnectFailed, &[&named, "refused"]);

    for (greeting, code, words) in [
        (
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            ErrorCode::ProtocolError,
            "does not speak SSH",
        ),
        ("\0\x01\x02\x03binary\n", ErrorCode::ProtocolError, "does not speak SSH"),
        ("Exceeded MaxStartups\r\n", ErrorCode::SourceBusy, "too many logins"),
        ("", ErrorCode::SourceBusy, "before greeting"),
    ] {
        source.config.port = serve(move |_| greeting.as_bytes().to_vec());
        let error = place.refused(&source).await;
        assert_error(&error, code, &["127.0.0.1", words]);
    }
}

#[tokio::test]
async fn a_server_with_too_many_logins_in_progress_is_busy() {
    let setup = Setup {
        extra: "MaxStartups 1\n",
        ..Setup::default()
    };
    let (server, place) = (Sshd::with(setup), Place::new());
    let source = server.source(SourceKind::Ssh, &["/"]);
    let mut stranger = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    // Greeted, so sshd counts it; it never logs in.
    stranger.read_exact(&mut [0; 4]).unwrap();
    let error = place.refused(&source).await;
    assert_error(&error, ErrorCode::SourceBusy, &["127.0.0.1"]);
    assert!(error.code.is_transient());
    drop(stranger);
    eventually("there is room again", SOON, async || {
        match place.connect(&source).await {
            Ok(session) => {
                session.close().await;
                true
            }
            Err(error) => {
                assert_eq!(error.code, ErrorCode::SourceBusy, "{error}");
                false
            }
        }
    })
    .await;
}

/// A server that takes a line from each client, answers, and closes. Returns its port.
fn serve(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut line = [0; 256];
            let count = stream.read(&mut line).unwrap_or(0);
            // The client may be gone by now.
            let _ = stream.write_all(&answer(&line[..count]));
        }
    });
    port
}

#[tokio::test]
async fn a_flood_of_greetings_is_bounded() {
    let (server, place) = (Sshd::start(), Place::new());
    let mut source = server.source(SourceKind::Ssh, &["/"]);
    source.config.port = serve(|_| b"SSH is not spoken here\r\n".repeat(200_000));
    let error = place.refused(&source).await;
    assert_error(&error, ErrorCode::ProtocolError, &["127.0.0.1"]);
    assert!(error.message.len() < 500);
}

#[tokio::test]
async fn unreachable_and_unresolvable_hosts_are_told_apart() {
    let (server, mut place) = (Sshd::start(), Place::new());
    let mut source = server.source(SourceKind::Ssh, &["/"]);
    source.config.host = "no-such-host.invalid".into();
    let error = place.refused(&source).await;
    assert_error(&error, ErrorCode::DnsFailed, &["no-such-host.invalid"]);

    // Reserved for ever, routed nowhere: refused at once or after the time allowed.
    source.config.host = "240.0.0.1".into();
    let open = xvault::connectors::egress::EgressPolicy::new(vec!["0.0.0.0/0".parse().unwrap()]);
    place.ctx.egress = std::sync::Arc::new(open);
    let error = place.refused(&source).await;
    assert_error(&error, ErrorCode::ConnectFailed, &["240.0.0.1"]);
}

#[tokio::test]
async fn forbidden_addresses_are_not_connected_to() {
    let (server, mut place) = (Sshd::start(), Place::new());
    place.ctx.egress = std::sync::Arc::default();
    server.clear_log();
    let mut source = server.source(SourceKind::Ssh, &["/"]);
    for host in ["127.0.0.1", "localhost", "::ffff:127.0.0.1", "0.0.0.0"] {
        source.config.host = host.into();
        let error = place.refused(&source).await;
        assert_error(&error, ErrorCode::AddressForbidden, &[host]);
    }
    assert!(!server.log().contains("Connection from"), "{}", server.log());
}

#[tokio::test]
async fn no_secret_shows_in_the_process_list() {
    let (server, place) = (Sshd::with(FRESH), Place::new());
    let mut source = by_key(&server, &ssh_keys::unknown().private, None);
    source.credentials.set(Password, secret(server.password()));
    let session = place.connect(&source).await.unwrap();
    let mut seen = 0;
    for pid in descendants(std::process::id()) {
        let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let text = String::from_utf8_lossy(&[read("cmdline"), read("environ")].concat()).into_owned();
        seen += usize::from(text.contains("StrictHostKeyChecking=yes") && text.contains(&server.user));
        assert!(!text.contains(server.password()), "{text}");
        assert!(!text.contains("PRIVATE KEY"), "{text}");
    }
    assert_eq!(seen, 1);
    session.close().await;
}

#[tokio::test]
async fn askpass_prints_what_it_is_pointed_at_and_does_nothing_else() {
    let place = Place::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "the answer").unwrap();
    let output = Command::new(&place.ctx.askpass)
        .arg("user@host's password: ")
        .env("XVAULT_ASKPASS", file.path())
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"the answer\n");
    assert!(output.status.success());
    let missing = Command::new(&place.ctx.askpass)
        .env("XVAULT_ASKPASS", "/proc/self/fd/99")
        .output()
        .unwrap();
    assert!(!missing.status.success() && missing.stdout.is_empty());
}
