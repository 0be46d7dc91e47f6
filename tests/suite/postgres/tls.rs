//! TLS: who is believed, and that nothing is sent to anybody else.

use xvault::{
    connectors::database::DatabaseSource,
    domain::{error_code::ErrorCode, source::DatabaseTls},
};

use super::stage::{captured, probed, refused, shop};
use crate::support::{
    certificates::{Authority, Certificate},
    pg_source::PgSource,
    ssh_place::Place,
};

fn encrypted(server: &PgSource) -> DatabaseSource {
    let mut source = server.source(&["shop"]);
    source.config.tls = Some(DatabaseTls::Required);
    source
}

#[tokio::test]
async fn a_certificate_of_nobody_is_approved_once_and_pinned() {
    let (first, second) = (
        Certificate::self_signed("127.0.0.1"),
        Certificate::self_signed("127.0.0.1"),
    );
    let (server, place) = (PgSource::with_tls(&first), Place::new());
    shop(&server, "shop");
    let mut source = encrypted(&server);

    assert_eq!(refused(&source, &place).await.code, ErrorCode::IdentityNotTrusted);
    let found = probed(&source, &place).await.unwrap();
    assert_eq!(found.fingerprint.as_deref(), Some(first.fingerprint().as_str()));
    assert!(
        !found.identity_approved && !found.authenticated && found.certificate_fault.is_some(),
        "{found:?}"
    );

    source.identity.target = Some(first.fingerprint());
    let (stored, _) = captured(&source, &place).await;
    assert!(stored.files["databases/shop.dump"].starts_with(b"PGDMP"));
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
    let (server, place) = (PgSource::with_tls(&authority.issue("127.0.0.1", 2)), Place::new());
    shop(&server, "shop");
    let mut source = encrypted(&server);
    source.config.tls = None;
    source.config.ca = Some(authority.pem());
    captured(&source, &place).await;
    let found = probed(&source, &place).await.unwrap();
    assert!(found.identity_approved && found.authenticated, "{found:?}");
}

#[tokio::test]
async fn nothing_is_sent_where_tls_is_expected_and_not_offered_and_nothing_works_where_it_is_demanded_and_off() {
    let place = Place::new();
    let plain = PgSource::start();
    let error = refused(&encrypted(&plain), &place).await;
    assert_eq!(error.code, ErrorCode::TlsFailed);
    assert!(error.message.contains("does not offer TLS"), "{error}");

    let encrypting = PgSource::with_tls(&Certificate::self_signed("127.0.0.1"));
    let error = refused(&encrypting.source(&["postgres"]), &place).await;
    assert_eq!(error.code, ErrorCode::AuthFailed);
    assert!(error.hint.contains("TLS"), "{error:?}");
}
