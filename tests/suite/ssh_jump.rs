//! Through a jump host: two identities, two logins, two addresses to check.

use xvault::{
    connectors::ssh::session::SshSession,
    domain::{brief::SourceBrief, error_code::ErrorCode, source::SourceKind},
};

use crate::support::{
    ssh_keys,
    ssh_place::{Place, secret},
    sshd::{Login, Setup, Sshd, free_port},
};

/// A source at `target`, through `jump`, everything approved.
fn through(jump: &Sshd, target: &Sshd) -> SourceBrief {
    let mut brief = target.brief(SourceKind::Ssh, &["/"]);
    brief.config.jump = Some(jump.as_jump());
    brief.identity.jump = Some(jump.fingerprint());
    brief.credentials.0.jump_private_key = secret(&ssh_keys::accepted().private);
    brief
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
    let brief = through(&jump, &target);
    let session = place.connect(&brief).await.unwrap();
    assert!(jump.log().contains("direct-tcpip"), "{}", jump.log());
    assert_works(session, &target).await;
    assert_eq!(place.left_behind(), 0);

    let mut brief = brief;
    brief.credentials.0.jump_private_key = None;
    brief.credentials.0.jump_password = secret(jump.password());
    assert_works(place.connect(&brief).await.unwrap(), &target).await;
}

#[tokio::test]
async fn the_jump_host_is_checked_like_any_other() {
    let (jump, target, place) = (Sshd::start(), Sshd::start(), Place::new());
    target.clear_log();
    let jump_named = format!("jump host 127.0.0.1:{}", jump.port);

    let mut brief = through(&jump, &target);
    brief.credentials.0.jump_private_key = secret(&ssh_keys::unknown().private);
    let error = place.refused(&brief).await;
    assert_eq!(error.code, ErrorCode::KeyRejected);
    assert!(error.message.contains(&jump_named), "{error}");

    let mut brief = through(&jump, &target);
    brief.identity.jump = None;
    let error = place.refused(&brief).await;
    assert_eq!(error.code, ErrorCode::IdentityNotTrusted);
    assert!(
        error.message.contains(&jump_named) && error.message.contains(&jump.fingerprint()),
        "{error}"
    );

    brief.identity.jump = Some(target.fingerprint());
    let error = place.refused(&brief).await;
    assert_eq!(error.code, ErrorCode::IdentityChanged);
    assert!(error.message.contains(&jump_named), "{error}");

    assert!(!target.log().contains("Connection from"), "{}", target.log());
}

#[tokio::test]
async fn a_target_behind_a_jump_host_is_checked_too() {
    let (jump, mut target, place) = (Sshd::start(), Sshd::start(), Place::new());
    let mut brief = through(&jump, &target);
    target.change_host_keys();
    let error = place.refused(&brief).await;
    assert_eq!(error.code, ErrorCode::IdentityChanged);
    assert!(error.message.contains(&target.fingerprint()), "{error}");
    assert!(!target.log().contains("userauth-request"), "{}", target.log());

    brief.config.host = "10.1.2.3".into();
    let error = place.refused(&brief).await;
    assert_eq!(error.code, ErrorCode::AddressForbidden);

    brief.config.host = "127.0.0.1".into();
    brief.config.port = free_port();
    let error = place.refused(&brief).await;
    assert_eq!(error.code, ErrorCode::ConnectFailed, "{error}");
    assert!(
        error.message.contains(&format!("127.0.0.1:{}", brief.config.port)),
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
    assert_eq!(error.code, ErrorCode::ConnectFailed);
    assert!(error.message.contains("forbids forwarding"), "{error}");
}
