//! What a probe finds, and what it keeps to itself.

use std::os::unix::fs::PermissionsExt;

use tokio_util::sync::CancellationToken;
use xvault::{
    connectors::{
        Connector, ProbeReport,
        ssh::{SshConnector, SshSource},
    },
    domain::{
        error_code::ErrorCode,
        job::JobError,
        source::{
            CredentialField::{JumpPrivateKey, Password, PrivateKey},
            SourceKind,
        },
    },
};

use crate::support::{
    ssh_keys,
    ssh_place::{Place, secret},
    sshd::{ALL_HOST_KEYS, Login, Setup, Sshd},
};

async fn probe(place: &Place, source: SshSource) -> Result<ProbeReport, JobError> {
    let result = SshConnector::new(source, place.ctx.clone())
        .unwrap()
        .probe(CancellationToken::new())
        .await;
    assert_eq!(place.left_behind(), 0);
    result
}

fn kinds(report: &ProbeReport) -> Vec<&str> {
    report.host_keys.iter().map(|key| key.algorithm.as_str()).collect()
}

#[tokio::test]
async fn an_approved_server_is_described() {
    let (server, place) = (
        Sshd::with(Setup {
            login: Login::Fresh,
            host_keys: ALL_HOST_KEYS,
            ..Setup::default()
        }),
        Place::new(),
    );
    let home = server.home();
    let seen = server.home_seen();
    std::fs::create_dir(home.join("open")).unwrap();
    std::fs::create_dir(home.join("closed")).unwrap();
    std::fs::set_permissions(home.join("closed"), PermissionsExt::from_mode(0o0)).unwrap();
    let paths = [
        format!("{seen}/open"),
        format!("{seen}/closed"),
        format!("{seen}/missing"),
        "open".to_owned(),
    ];
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();

    for kind in [SourceKind::Ssh, SourceKind::Sftp] {
        let report = probe(&place, server.source(kind, &paths)).await.unwrap();
        assert_eq!(kinds(&report), ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"]);
        assert_eq!(report.fingerprint.as_deref(), Some(server.fingerprint().as_str()));
        assert_eq!(report.fingerprint_of.as_deref(), Some("target"));
        assert!(report.identity_approved && report.authenticated && !report.identity_changed);
        assert!(report.server.as_ref().unwrap().starts_with("OpenSSH_"), "{report:?}");
        let statuses: Vec<&str> = report.paths.iter().map(|path| path.status.as_str()).collect();
        assert_eq!(statuses, ["ok", "permission_denied", "not_found", "ok"]);
        assert_eq!(
            report.paths[3].resolved.as_deref(),
            Some(format!("{seen}/open").as_str())
        );
        let transport = if kind == SourceKind::Ssh { "ssh-tar" } else { "sftp" };
        assert_eq!(report.transport.as_deref(), Some(transport));
        assert_eq!(report.remote_tar.is_some(), kind == SourceKind::Ssh);
        assert!(
            report.cannot_capture.iter().any(|line| line.contains(&server.user)),
            "{report:?}"
        );
        if kind == SourceKind::Ssh {
            assert!(report.remote_tar.unwrap().starts_with("GNU tar 1."));
        }
    }
}

#[tokio::test]
async fn a_shell_without_sftp_and_sftp_without_a_shell() {
    let place = Place::new();
    let no_sftp = Sshd::with(Setup {
        sftp: "/bin/false",
        ..Setup::default()
    });
    let report = probe(&place, no_sftp.source(SourceKind::Ssh, &["/etc", "/no-such-path"]))
        .await
        .unwrap();
    assert_eq!(report.transport.as_deref(), Some("ssh-tar"));
    let statuses: Vec<&str> = report.paths.iter().map(|path| path.status.as_str()).collect();
    assert_eq!(statuses, ["ok", "not_found"]);
    let error = probe(&place, no_sftp.source(SourceKind::Sftp, &["/etc"]))
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::ProtocolError);
    assert!(error.message.contains("SFTP"), "{error}");

    let no_shell = Sshd::with(Setup {
        login: Login::SftpOnly,
        ..Setup::default()
    });
    let report = probe(&place, no_shell.source(SourceKind::Ssh, &["/data"]))
        .await
        .unwrap();
    assert_eq!(report.transport.as_deref(), Some("sftp"));
    assert_eq!(report.remote_tar, None);
    assert_eq!(report.paths[0].status, "ok");
}

#[tokio::test]
async fn an_unknown_server_gets_a_signature_but_never_a_password() {
    let (server, place) = (
        Sshd::with(Setup {
            login: Login::Fresh,
            ..Setup::default()
        }),
        Place::new(),
    );
    let mut source = server.source(SourceKind::Ssh, &["/"]);
    source.identity.target = None;
    let report = probe(&place, source).await.unwrap();
    assert!(report.authenticated && !report.identity_approved);
    assert_eq!(report.fingerprint.as_deref(), Some(server.fingerprint().as_str()));

    // A wrong key beside the right password: the password must not follow it.
    server.clear_log();
    let mut source = server.source(SourceKind::Ssh, &["/"]);
    source.identity.target = None;
    source.credentials.set(PrivateKey, secret(&ssh_keys::unknown().private));
    source.credentials.set(Password, secret(server.password()));
    assert_eq!(probe(&place, source).await.unwrap_err().code, ErrorCode::KeyRejected);
    assert!(!server.log().contains("method password"), "{}", server.log());

    server.clear_log();
    let mut source = server.source(SourceKind::Ssh, &["/"]);
    source.identity.target = None;
    source.credentials.unset(PrivateKey);
    source.credentials.set(Password, secret(server.password()));
    let report = probe(&place, source).await.unwrap();
    assert!(!report.authenticated && !report.identity_approved);
    assert_eq!(report.fingerprint.as_deref(), Some(server.fingerprint().as_str()));
    assert!(report.server.unwrap().starts_with("OpenSSH_"));
    assert!(!server.log().contains("userauth-request"), "{}", server.log());
}

#[tokio::test]
async fn a_changed_server_is_shown_and_gets_nothing() {
    let (mut server, place) = (Sshd::start(), Place::new());
    let source = server.source(SourceKind::Ssh, &["/"]);
    server.change_host_keys();
    let report = probe(&place, source).await.unwrap();
    assert!(report.identity_changed && !report.identity_approved && !report.authenticated);
    assert_eq!(report.fingerprint.as_deref(), Some(server.fingerprint().as_str()));
    assert!(!server.log().contains("userauth-request"), "{}", server.log());
}

#[tokio::test]
async fn approving_what_each_probe_shows_ends_with_all_hops_approved() {
    let (jump, target, place) = (Sshd::start(), Sshd::start(), Place::new());
    let mut source = target.source(SourceKind::Ssh, &["/"]);
    source.config.jump = Some(jump.as_jump());
    source.identity.target = None;
    source
        .credentials
        .set(JumpPrivateKey, secret(&ssh_keys::accepted().private));
    for _ in 0..2 {
        let report = probe(&place, source.clone()).await.unwrap();
        assert!(report.authenticated && !report.identity_approved);
        assert_eq!(report.jump_host_keys[0].fingerprint, jump.fingerprint());
        match report.fingerprint_of.as_deref() {
            Some("target") => source.identity.target = report.fingerprint,
            Some("jump") => source.identity.jump = report.fingerprint,
            other => panic!("{other:?}"),
        }
    }
    assert!(probe(&place, source).await.unwrap().identity_approved);
}
