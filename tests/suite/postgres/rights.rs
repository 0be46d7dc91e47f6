//! Rights and passwords: what is missing is said before anything is dumped.

use secrecy::SecretString;
use xvault::domain::{error_code::ErrorCode, source::CredentialField};

use super::stage::{captured, probed, refused, shop};
use crate::support::{pg_source::PgSource, ssh_place::Place};

#[tokio::test]
async fn a_missing_right_stops_the_backup_and_the_probe_names_the_statement_that_mends_it() {
    let (server, place) = (PgSource::start(), Place::new());
    shop(&server, "shop");
    let source = server.source(&["shop"]);
    for (taken, named) in [
        (
            "revoke pg_read_all_data from dump",
            "GRANT pg_read_all_data TO \"dump\"",
        ),
        (
            "revoke select on large object 4712 from dump",
            "GRANT SELECT ON LARGE OBJECT",
        ),
        ("alter table parent enable row level security", "BYPASSRLS"),
        (
            "revoke connect on database shop from public",
            "GRANT CONNECT ON DATABASE \"shop\" TO \"dump\"",
        ),
    ] {
        server.sql("shop", taken);
        let error = refused(&source, &place).await;
        assert_eq!(error.code, ErrorCode::MissingPrivilege, "{error}");
        assert!(error.message.contains(named), "{error}");

        let found = probed(&source, &place).await.unwrap();
        assert_eq!(found.missing_grants.len(), 1, "{found:?}");
        server.sql("postgres", &found.missing_grants[0]);
        assert_eq!(
            probed(&source, &place).await.unwrap().missing_grants,
            Vec::<String>::new()
        );
        captured(&source, &place).await;
    }
}

#[tokio::test]
async fn a_wrong_password_or_an_unknown_login_is_told_as_that() {
    let (server, place) = (PgSource::start(), Place::new());
    let mut source = server.source(&["postgres"]);
    for password in ["wrong", ""] {
        source
            .credentials
            .set(CredentialField::Password, SecretString::from(password));
        let error = refused(&source, &place).await;
        assert_eq!(error.code, ErrorCode::AuthFailed, "{error}");
        assert!(error.message.contains("dump"), "{error}");
        assert_eq!(probed(&source, &place).await.unwrap_err().code, ErrorCode::AuthFailed);
    }
}

#[tokio::test]
async fn a_login_that_the_server_admits_to_one_database_only_is_asked_there() {
    let (server, place) = (
        PgSource::with(&[], "host shop dump 127.0.0.1/32 scram-sha-256"),
        Place::new(),
    );
    shop(&server, "shop");
    captured(&server.source(&["shop"]), &place).await;
    let error = refused(&server.source(&[]), &place).await;
    assert_eq!(error.code, ErrorCode::AuthFailed, "{error}");
    assert!(error.message.contains("pg_hba.conf"), "{error}");
}

#[tokio::test]
async fn a_password_is_not_sent_readable() {
    let (server, place) = (PgSource::with(&[], "host all all 127.0.0.1/32 password"), Place::new());
    assert_eq!(
        refused(&server.source(&["postgres"]), &place).await.code,
        ErrorCode::TlsRequired
    );
}
