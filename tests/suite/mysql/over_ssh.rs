//! Databases behind an SSH host: with its own programs, or through a forwarded port.

use std::{os::unix::fs::symlink, path::Path};

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
    stage::{captured, connector, everything, probed, refused, shop},
};
use crate::support::{
    certificates::Certificate,
    dumping::Held,
    eventually::{SOON, eventually},
    mariadb::MariaDb,
    scratch::temp_dir,
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

/// An SSH host without the programs.
fn without_client() -> Sshd {
    let dir = temp_dir("path").keep();
    std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for tool in ["sh", "head", "sleep"] {
        symlink(Path::new("/bin").join(tool), dir.join(tool)).unwrap();
    }
    Sshd::with(Setup {
        extra: format!("SetEnv PATH={}\n", dir.display()).leak(),
        ..Setup::default()
    })
}

#[tokio::test]
async fn the_hosts_own_programs_and_a_forwarded_port_give_the_same_dump() {
    let (server, other, place) = (MariaDb::start(), MariaDb::start(), Place::new());
    shop(&server, "shop");
    let before = everything(&server, "shop");
    for (ssh, transport) in [(Sshd::start(), "mysql-on-host"), (without_client(), "mysql-forwarded")] {
        let source = over(&ssh, server.source(&["shop"]));
        let found = probed(&source, &place).await.unwrap();
        assert!(found.authenticated && found.identity_approved, "{found:?}");
        assert_eq!(found.transport.as_deref(), Some(transport));
        let (stored, report) = captured(&source, &place).await;
        assert_eq!(report.transport, transport);
        other
            .sql("drop database if exists copy; create database copy character set utf8mb4 collate utf8mb4_unicode_ci");
        other.sql_in("copy", &stored.text("databases/shop.sql"));
        assert_eq!(before, everything(&other, "copy"));
    }
}

#[tokio::test]
async fn the_ssh_host_is_approved_first_and_then_the_certificate_behind_it() {
    let certificate = Certificate::self_signed("127.0.0.1");
    let (server, ssh, place) = (MariaDb::with_tls(&certificate), Sshd::start(), Place::new());
    shop(&server, "shop");
    let mut source = over(&ssh, server.source(&["shop"]));
    source.config.tls = Some(DatabaseTls::Verify);
    source.identity.jump = None;

    assert_eq!(refused(&source, &place).await.code, ErrorCode::IdentityNotTrusted);
    let found = probed(&source, &place).await.unwrap();
    assert_eq!(found.fingerprint_of.as_deref(), Some("jump"));
    assert_eq!(found.fingerprint, Some(ssh.fingerprint()));
    assert!(!found.authenticated && found.host_keys.is_empty(), "{found:?}");

    source.identity.jump = Some(ssh.fingerprint());
    let found = probed(&source, &place).await.unwrap();
    assert_eq!(found.fingerprint_of.as_deref(), Some("target"));
    assert_eq!(found.fingerprint, Some(certificate.fingerprint()));
    assert!(!found.authenticated && !found.identity_approved, "{found:?}");

    source.identity.target = Some(certificate.fingerprint());
    assert!(probed(&source, &place).await.unwrap().identity_approved);
    let (_, report) = captured(&source, &place).await;
    // Certificates are checked by the worker, so its own programs are used.
    assert_eq!(report.transport, "mysql-forwarded");

    source.identity.jump = Some(Sshd::start().fingerprint());
    assert_eq!(refused(&source, &place).await.code, ErrorCode::IdentityChanged);
}

#[tokio::test]
async fn a_cancelled_dump_on_the_host_ends_there() {
    let (server, ssh, place) = (MariaDb::start(), Sshd::start(), Place::new());
    large(&server);
    let source = over(&ssh, server.source(&["large"]));
    let held = Held::begin(connector(&source, &place)).await;
    assert_eq!(server.connections(), 1);
    held.cancel.cancel();
    assert_eq!(held.fails().await.code, ErrorCode::Cancelled);
    assert_eq!(place.left_behind(), 0);
    eventually("the connection is gone", SOON, async || server.connections() == 0).await;
    eventually("nothing runs for the login", SOON, async || ssh.processes().len() <= 1).await;
}

#[tokio::test]
async fn a_lost_host_fails_the_dump_and_ends_it_there() {
    let (server, ssh, place) = (MariaDb::start(), Sshd::start(), Place::new());
    large(&server);
    let source = over(&ssh, server.source(&["large"]));
    let held = Held::begin(connector(&source, &place)).await;
    ssh.kill_connections();
    assert_eq!(held.fails().await.code, ErrorCode::TransferInterrupted);
    eventually("the connection is gone", SOON, async || server.connections() == 0).await;
}

#[tokio::test]
async fn a_password_never_shows_in_the_hosts_processes() {
    let (server, ssh, place) = (MariaDb::start(), Sshd::start(), Place::new());
    large(&server);
    let source = over(&ssh, server.source(&["large"]));
    let held = Held::begin(connector(&source, &place)).await;
    let lines: Vec<_> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .collect();
    assert!(
        lines
            .iter()
            .any(|line| line.contains("mariadb-dump") && line.contains("large"))
    );
    assert!(!lines.iter().any(|line| line.contains("pass\\word")));
    held.cancel.cancel();
    held.fails().await;
}

#[tokio::test]
async fn a_port_that_the_host_cannot_reach_is_told_with_both_names() {
    let (ssh, place) = (without_client(), Place::new());
    let mut server = MariaDb::start();
    let source = over(&ssh, server.source(&["shop"]));
    server.kill();
    let error = refused(&source, &place).await;
    assert_eq!(error.code, ErrorCode::ConnectFailed);
    let both = [server.port, ssh.port].map(|port| error.message.contains(&port.to_string()));
    assert_eq!(both, [true, true], "{error}");
}
