//! Databases behind an SSH host: with its own programs, or through a forwarded port.

use secrecy::SecretString;
use xvault::{
    connectors::database::DatabaseSource,
    domain::{
        error_code::ErrorCode,
        source::{CredentialField, DatabaseTls},
    },
};

use super::{
    faults::large,
    stage::{assert_same, captured, connector, everything, load, probed, refused, shop},
};
use crate::support::{
    certificates::Certificate,
    dumping::Held,
    eventually::{SOON, eventually},
    pg_source::PgSource,
    ssh_keys,
    ssh_place::Place,
    sshd::{Setup, Sshd},
};

fn over(ssh: &Sshd, mut source: DatabaseSource) -> DatabaseSource {
    source.config.over_ssh = Some(ssh.as_jump());
    source.config.tls = None;
    let key = SecretString::from(ssh_keys::accepted().private.as_str());
    source.credentials.set(CredentialField::SshPrivateKey, key);
    source.identity.jump = Some(ssh.fingerprint());
    source
}

/// An SSH host that runs no commands, and forwards all the same.
fn without_shell() -> Sshd {
    Sshd::with(Setup {
        extra: "ForceCommand internal-sftp\n",
        ..Setup::default()
    })
}

#[tokio::test]
async fn the_hosts_own_programs_and_a_forwarded_port_give_the_same_dump() {
    let (server, place) = (PgSource::start(), Place::new());
    shop(&server, "shop");
    let before = everything(&server, "shop");
    for (ssh, transport) in [
        (Sshd::start(), "postgres-on-host"),
        (without_shell(), "postgres-forwarded"),
    ] {
        let source = over(&ssh, server.source(&["shop"]));
        let found = probed(&source, &place).await.unwrap();
        assert!(found.authenticated && found.identity_approved, "{found:?}");
        assert_eq!(found.transport.as_deref(), Some(transport));
        let (stored, report) = captured(&source, &place).await;
        assert_eq!(report.transport, transport);
        assert!(stored.text("databases/globals.sql").contains("CREATE ROLE dump"));
        load(&server, &stored.files["databases/shop.dump"], "copy");
        assert_same(&before, &everything(&server, "copy"));
    }
}

#[tokio::test]
async fn the_ssh_host_is_approved_first_and_then_the_certificate_behind_it() {
    let certificate = Certificate::self_signed("127.0.0.1");
    let (server, ssh, place) = (PgSource::with_tls(&certificate), Sshd::start(), Place::new());
    shop(&server, "shop");
    let mut source = over(&ssh, server.source(&["shop"]));
    source.config.tls = Some(DatabaseTls::Verify);
    source.identity.jump = None;

    assert_eq!(refused(&source, &place).await.code, ErrorCode::IdentityNotTrusted);
    let found = probed(&source, &place).await.unwrap();
    assert_eq!(found.fingerprint, Some(ssh.fingerprint()));
    assert!(!found.authenticated && found.host_keys.is_empty(), "{found:?}");

    source.identity.jump = Some(ssh.fingerprint());
    let found = probed(&source, &place).await.unwrap();
    assert_eq!(found.fingerprint, Some(certificate.fingerprint()));
    assert!(!found.authenticated && !found.identity_approved, "{found:?}");

    source.identity.target = Some(certificate.fingerprint());
    let (_, report) = captured(&source, &place).await;
    // Certificates are checked by the worker, so its own programs are used.
    assert_eq!(report.transport, "postgres-forwarded");
}

#[tokio::test]
async fn a_dump_on_the_host_ends_there_when_it_is_cancelled_and_shows_no_password() {
    let (server, ssh, place) = (PgSource::start(), Sshd::start(), Place::new());
    large(&server);
    let source = over(&ssh, server.source(&["large"]));
    let held = Held::begin_at(connector(&source, &place), "databases/large.dump").await;
    assert_eq!(server.connections(), 1);
    let lines: Vec<_> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .collect();
    assert!(lines.iter().any(|line| line.contains("pg_dump\0--format=custom")));
    assert!(!lines.iter().any(|line| line.contains("pass\\word")));
    held.cancel.cancel();
    assert_eq!(held.fails().await.code, ErrorCode::Cancelled);
    assert_eq!(place.left_behind(), 0);
    eventually("the connection is gone", SOON, async || server.connections() == 0).await;
    eventually("nothing runs for the login", SOON, async || ssh.processes().len() <= 1).await;
}

#[tokio::test]
async fn a_lost_host_fails_the_dump_and_ends_it_there() {
    let (server, ssh, place) = (PgSource::start(), Sshd::start(), Place::new());
    large(&server);
    let source = over(&ssh, server.source(&["large"]));
    let held = Held::begin_at(connector(&source, &place), "databases/large.dump").await;
    ssh.kill_connections();
    assert_eq!(held.fails().await.code, ErrorCode::TransferInterrupted);
    eventually("the connection is gone", SOON, async || server.connections() == 0).await;
}
