//! Through a jump host: two identities, two logins, two addresses to check.

use xvault::{
    connectors::ssh::{SshSource, session::SshSession},
    domain::{
        error_code::ErrorCode,
        source::{
            CredentialField::{JumpPassword, JumpPrivateKey},
            SourceKind,
        },
    },
};

use crate::support::{
    ports::free_port,
    ssh_keys,
    ssh_place::{Place, secret},
    sshd::{Login, Setup, Sshd},
};

/// A source at `target`, through `jump`, everything approved.
fn through(jump: &Sshd, target: &Sshd) -> SshSource {
    let mut source = target.source(SourceKind::Ssh, &["/"]);
    source.config.jump = Some(jump.as_jump());
    source.identity.jump = Some(jump.fingerprint());
    source
        .credentials
        .set(JumpPrivateKey, secret(&ssh_keys::accepted().private));
    source
}

async fn assert_works(session: SshSession, target: &Sshd) {
    let finished = session.run("id -un").await.unwrap();
    assert_eq!(String::from_utf8_lossy(&finished.stdout).trim(), target.user);
    session.close().await;
}

#[tokio::test]
async fn the_jump_host_is_gone_through() {
    let setup = Setup {
        login: Login::Fresh,
        ..Setup::default()
    };
    let (jump, target, place) = (Sshd::with(setup), Sshd::start(), Place::new());
    let source = through(&jump, &target);
    let session = place.connect(&source).await.unwrap();
    assert!(jump.log().contains("direct-tcpip"), "{}", jump.log());
    assert_works(session, &target).await;
    assert_eq!(place.left_behind(), 0);

    let mut source = source;
    source.credentials.unset(JumpPrivateKey);
    source.credentials.set(JumpPassword, secret(jump.password()));
    assert_works(place.connect(&source).await.unwrap(), &target).await;
}

#[tokio::test]
async fn the_jump_host_is_checked_like_any_other() {
    let (jump, target, place) = (Sshd::start(), Sshd::start(), Place::new());
    target.clear_log();
    let jump_named = format!("jump host 127.0.0.1:{}", jump.port);

    let mut source = through(&jump, &target);
    source
        .credentials
        .set(JumpPrivateKey, secret(&ssh_keys::unknown().private));
    let error = place.refused(&source).await;
    assert_eq!(error.code, ErrorCode::KeyRejected);
    assert!(error.message.contains(&jump_named), "{error}");

    let mut source = through(&jump, &target);
    source.identity.jump = None;
    let error = place.refused(&source).await;
    assert_eq!(error.code, ErrorCode::IdentityNotTrusted);
    assert!(
        error.message.contains(&jump_named) && error.message.contains(&jump.fingerprint()),
        "{error}"
    );

    source.identity.jump = Some(target.fingerprint());
    let error = place.refused(&source).await;
    assert_eq!(error.code, ErrorCode::IdentityChanged);
    assert!(error.message.contains(&jump_named), "{error}");

    assert!(!target.log().contains("Connection from"), "{}", target.log());
}

#[tokio::test]
async fn a_target_behind_a_jump_host_is_checked_too() {
    let (jump, mut target, place) = (Sshd::start(), Sshd::start(), Place::new());
    let mut source = through(&jump, &target);
    target.change_host_keys();
    let error = place.refused(&source).await;
    assert_eq!(error.code, ErrorCode::IdentityChanged);
    assert!(error.message.contains(&target.fingerprint()), "{error}");
    assert!(!target.log().contains("userauth-request"), "{}", target.log());

    source.config.host = "10.1.2.3".into();
    let error = place.refused(&source).await;
    assert_eq!(error.code, ErrorCode::AddressForbidden);

    source.config.host = "127.0.0.1".into();
    source.config.port = free_port();
    let error = place.refused(&source).await;
    assert_eq!(error.code, ErrorCode::ConnectFailed, "{error}");
    assert!(
        error.message.contains(&format!("127.0.0.1:{}", source.config.port)),
        "{error}"
    );
}

#[tokio::test]
async fn a_jump_host_that_forbids_forwarding_is_named() {
    let setup = Setup {
        extra: "AllowTcpForwarding no",
        ..Setup::default()
    };
    let (jump, target, place) = (Sshd::with(setup), Sshd::start(), Place::new());
    let error = place.refused(&through(&jump, &target)).await;
    assert_eq!(error.code, ErrorCode::ForwardingForbidden);
    assert!(!error.is_transient(), "it stays forbidden until somebody changes it");
    assert!(error.message.contains("forbids forwarding"), "{error}");
}
