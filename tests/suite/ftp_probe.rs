//! Looking at real FTP servers, and what stops a capture before it begins.

use std::{fs, os::unix::fs::PermissionsExt};

use tokio_util::sync::CancellationToken;
use xvault::{
    connectors::{CaptureSink, Connector, ProbeReport, egress::EgressPolicy, ftp::FtpConnector},
    domain::{
        error_code::ErrorCode,
        job::JobError,
        source::{CredentialField, PinnedIdentity},
    },
};

use super::{
    capture_ftp::{capture, connector, source},
    support::{
        captured::collect,
        certificates::{Authority, Certificate},
        eventually,
        eventually::SOON,
        ftpd::{Ftpd, Server, Setup},
        ssh_place::secret,
        tree::noise,
    },
};

async fn probe(source: xvault::connectors::ftp::FtpSource) -> Result<ProbeReport, JobError> {
    connector(source).probe(CancellationToken::new()).await
}

#[tokio::test]
async fn a_certificate_is_shown_approved_and_missed_when_it_changes() {
    let mut server = Ftpd::start(Server::Vsftpd);
    fs::write(server.home().join("a"), "a").unwrap();
    let approved = source(&server, server.config(&["."]));
    let mut unknown = approved.clone();
    unknown.identity = PinnedIdentity::default();

    let report = probe(unknown.clone()).await.unwrap();
    assert_eq!(report.fingerprint, Some(server.fingerprint()));
    assert_eq!(report.host_keys[0].algorithm, "certificate");
    assert!(!report.identity_approved && !report.authenticated && !report.identity_changed);
    assert!(report.certificate_fault.is_some());
    let error = capture(unknown).await.1.unwrap_err();
    assert_eq!(error.code, ErrorCode::IdentityNotTrusted, "{error}");
    assert!(!server.log().contains("\"USER"), "a name went out: {}", server.log());

    let report = probe(approved.clone()).await.unwrap();
    assert!(report.identity_approved && report.authenticated);
    assert_eq!(report.transport.as_deref(), Some("ftps-list"));
    assert_eq!(report.paths[0].status, "ok");
    assert!(!report.cannot_capture.is_empty());

    server.change_certificate(Certificate::self_signed("ftp.example.com"));
    let report = probe(approved.clone()).await.unwrap();
    assert!(report.identity_changed && !report.identity_approved && !report.authenticated);
    assert_eq!(report.fingerprint, Some(server.fingerprint()));
    let error = capture(approved).await.1.unwrap_err();
    assert_eq!(error.code, ErrorCode::IdentityChanged, "{error}");
}

#[tokio::test]
async fn an_authority_of_the_source_needs_no_approval() {
    let authority = Authority::new();
    let server = Ftpd::with(Setup {
        certificate: Some(authority.issue("127.0.0.1", 2)),
        ..Setup::tls(Server::Proftpd)
    });
    fs::write(server.home().join("a"), "a").unwrap();
    let mut source = source(&server, server.config(&["."]));
    source.identity = PinnedIdentity::default();
    source.config.ca = Some(authority.pem());
    let report = probe(source.clone()).await.unwrap();
    assert!(report.identity_approved && report.authenticated && report.certificate_fault.is_none());
    assert_eq!(report.transport.as_deref(), Some("ftps-mlsd"));
    capture(source).await.1.unwrap();
}

#[tokio::test]
async fn what_stops_a_capture_has_its_own_code() {
    let server = Ftpd::start(Server::Proftpd);
    fs::create_dir(server.home().join("shut")).unwrap();
    fs::set_permissions(server.home().join("shut"), PermissionsExt::from_mode(0o700)).unwrap();
    fs::write(server.home().join("one file"), "content").unwrap();
    let good = source(&server, server.config(&["one file"]));

    let mut wrong = good.clone();
    wrong.credentials.set(CredentialField::Password, secret("not it"));
    let error = capture(wrong.clone()).await.1.unwrap_err();
    assert_eq!(error.code, ErrorCode::AuthFailed, "{error}");
    assert!(!error.message.contains("not it"), "{error}");
    assert_eq!(probe(wrong).await.unwrap_err().code, ErrorCode::AuthFailed);

    for (path, code, status) in [
        ("missing", ErrorCode::PathNotFound, "not_found"),
        ("shut", ErrorCode::PermissionDenied, "permission_denied"),
    ] {
        let mut source = good.clone();
        source.config.paths = vec![path.into()];
        let (collected, result) = capture(source.clone()).await;
        let error = result.unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(path) && collected.tree.is_empty(), "{error}");
        assert_eq!(probe(source).await.unwrap().paths[0].status, status);
    }

    let refused = FtpConnector::new(good.clone(), EgressPolicy::default().into()).unwrap();
    let error = refused.probe(CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::AddressForbidden, "{error}");

    let (collected, report) = capture(good).await;
    report.unwrap();
    assert_eq!(collected.tree.len(), 1, "one file, asked for by name");
}

#[tokio::test]
async fn vsftpd_that_allows_two_connections_gets_two() {
    let server = Ftpd::with(Setup {
        extra: "max_per_ip=2",
        ..Setup::tls(Server::Vsftpd)
    });
    for i in 0..60 {
        fs::write(server.home().join(i.to_string()), i.to_string()).unwrap();
    }
    let (collected, report) = capture(source(&server, server.config(&["."]))).await;
    report.unwrap();
    assert!(collected.problems.is_empty(), "{:?}", collected.problems);
    assert_eq!(collected.below(server.home()).len(), 60);
}

#[tokio::test]
async fn a_transfer_goes_on_after_vsftpd_lost_its_connections() {
    let server = Ftpd::with(Setup {
        extra: "local_max_rate=4000000",
        ..Setup::tls(Server::Vsftpd)
    });
    let content = noise(6_000_000);
    fs::write(server.home().join("large"), &content).unwrap();
    let connector = connector(source(&server, server.config(&["."])));
    let cut = async {
        eventually("the file is on its way", SOON, async || server.log().contains("\"RETR")).await;
        assert!(server.drop_connections() > 0);
    };
    let capturing = collect(async |sink: CaptureSink| connector.capture(sink, CancellationToken::new()).await);
    let ((collected, report), ()) = tokio::join!(capturing, cut);
    report.unwrap();
    assert!(
        collected.problems.is_empty() && collected.ends.is_empty(),
        "{:?}",
        collected.problems
    );
    let came = collected.below(server.home());
    let kind = &came[&b"large"[..]].kind;
    assert_eq!(
        *kind,
        super::support::tree::Kind::File(6_000_000, blake3::hash(&content), None)
    );
    assert!(server.log().matches("\"RETR").count() > 1, "{}", server.log());
}

#[tokio::test]
async fn a_cancelled_capture_leaves_nothing_running_on_the_server() {
    let server = Ftpd::with(Setup {
        extra: "local_max_rate=100000",
        ..Setup::tls(Server::Vsftpd)
    });
    fs::write(server.home().join("large"), noise(6_000_000)).unwrap();
    let connector = connector(source(&server, server.config(&["."])));
    let cancel = CancellationToken::new();
    let stop = async {
        eventually("the file is on its way", SOON, async || server.log().contains("\"RETR")).await;
        cancel.cancel();
    };
    let capturing = collect(async |sink: CaptureSink| connector.capture(sink, cancel.clone()).await);
    let ((_, result), ()) = tokio::join!(capturing, stop);
    assert_eq!(result.unwrap_err().code, ErrorCode::Cancelled);
    eventually("its processes end", SOON, async || server.connections().is_empty()).await;
}
