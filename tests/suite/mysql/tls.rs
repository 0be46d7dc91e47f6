//! TLS: who is believed, and that nothing is sent to anybody else.

use xvault::{
    connectors::database::DatabaseSource,
    domain::{error_code::ErrorCode, source::DatabaseTls},
};

use super::stage::{captured, probed, refused, shop};
use crate::support::{
    certificates::{Authority, Certificate},
    mariadb::MariaDb,
    ssh_place::Place,
};

fn encrypted(server: &MariaDb) -> DatabaseSource {
    let mut source = server.source(&["shop"]);
    source.config.tls = Some(DatabaseTls::Required);
    source
}

/// How many logins the server has seen, good or bad.
fn logins(server: &MariaDb) -> String {
    server.sql("show global status like 'Access_denied_errors'; show global status like 'Ssl_finished_accepts'")
}

#[tokio::test]
async fn a_certificate_of_nobody_is_approved_once_and_pinned() {
    let (first, second) = (
        Certificate::self_signed("127.0.0.1"),
        Certificate::self_signed("127.0.0.1"),
    );
    let (server, place) = (MariaDb::with_tls(&first), Place::new());
    shop(&server, "shop");
    server.sql("alter user dump@'%' require ssl");
    let mut source = encrypted(&server);

    let before = logins(&server);
    assert_eq!(refused(&source, &place).await.code, ErrorCode::IdentityNotTrusted);
    let found = probed(&source, &place).await.unwrap();
    assert_eq!(found.fingerprint.as_deref(), Some(first.fingerprint().as_str()));
    assert!(
        !found.identity_approved && !found.authenticated && found.certificate_fault.is_some(),
        "{found:?}"
    );
    assert_eq!(logins(&server), before, "no login was tried");

    source.identity.target = Some(first.fingerprint());
    let (stored, _) = captured(&source, &place).await;
    assert!(stored.text("databases/shop.sql").contains("CREATE TABLE `items`"));
    let found = probed(&source, &place).await.unwrap();
    assert!(found.identity_approved && found.authenticated, "{found:?}");

    source.identity.target = Some(second.fingerprint());
    assert_eq!(refused(&source, &place).await.code, ErrorCode::IdentityChanged);
    let found = probed(&source, &place).await.unwrap();
    assert!(found.identity_changed && !found.authenticated, "{found:?}");
}

#[tokio::test]
async fn a_certificate_of_the_sources_authority_needs_no_approval() {
    let authority = Authority::new();
    let (server, place) = (MariaDb::with_tls(&authority.issue("127.0.0.1", 2)), Place::new());
    shop(&server, "shop");
    let mut source = encrypted(&server);
    source.config.tls = None;
    source.config.ca = Some(authority.pem());
    captured(&source, &place).await;
    let found = probed(&source, &place).await.unwrap();
    assert!(found.identity_approved && found.authenticated, "{found:?}");
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing_where_tls_is_expected() {
    let (server, place) = (MariaDb::start(), Place::new());
    shop(&server, "shop");
    let error = refused(&encrypted(&server), &place).await;
    assert_eq!(error.code, ErrorCode::TlsFailed);
    assert!(error.message.contains("does not offer TLS"), "{error}");
}

#[tokio::test]
async fn an_account_that_requires_tls_says_so_where_it_is_off() {
    let certificate = Certificate::self_signed("127.0.0.1");
    let (server, place) = (MariaDb::with_tls(&certificate), Place::new());
    shop(&server, "shop");
    server.sql("alter user dump@'%' require ssl");
    let error = refused(&server.source(&["shop"]), &place).await;
    // The server does not tell it from a wrong password; the hint does.
    assert_eq!(error.code, ErrorCode::AuthFailed);
    assert!(error.hint.contains("TLS"), "{error:?}");
}
