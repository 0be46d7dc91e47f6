//! Rights and passwords: what is missing is said before anything is dumped.

use secrecy::SecretString;
use xvault::domain::{error_code::ErrorCode, source::CredentialField};

use super::stage::{captured, probed, refused, shop};
use crate::support::{mariadb::MariaDb, ssh_place::Place};

#[tokio::test]
async fn a_missing_right_stops_the_backup_and_the_probe_names_the_grant_that_mends_it() {
    let (server, place) = (MariaDb::start(), Place::new());
    shop(&server, "shop_1");
    let source = server.source(&["shop_1"]);
    for (right, on) in [
        ("TRIGGER", "`shop_1`.*"),
        ("EVENT", "`shop_1`.*"),
        ("SHOW VIEW", "`shop_1`.*"),
        ("SELECT", "`shop_1`.*"),
        ("SELECT", "mysql.proc"),
    ] {
        server.sql(&format!("revoke {right} on {on} from dump@'%'"));
        let error = refused(&source, &place).await;
        assert_eq!(error.code, ErrorCode::MissingPrivilege, "{error}");
        assert!(error.message.contains(right), "{error}");

        let found = probed(&source, &place).await.unwrap();
        assert_eq!(found.missing_grants.len(), 1, "{found:?}");
        server.sql(&found.missing_grants[0]);
        assert_eq!(
            probed(&source, &place).await.unwrap().missing_grants,
            Vec::<String>::new()
        );
        captured(&source, &place).await;
    }
}

#[tokio::test]
async fn rights_that_come_through_a_role_count() {
    let (server, place) = (MariaDb::start(), Place::new());
    shop(&server, "shop");
    server.sql(
        "revoke all privileges, grant option from dump@'%'; create role backup; \
         grant select, show view, trigger, event on shop.* to backup; grant select on mysql.proc to backup; \
         grant backup to dump@'%'; set default role backup for dump@'%'",
    );
    captured(&server.source(&["shop"]), &place).await;
}

#[tokio::test]
async fn a_login_without_rights_learns_what_it_needs() {
    let (server, place) = (MariaDb::start(), Place::new());
    server.sql("create database shop");
    let error = refused(&server.source(&[]), &place).await;
    assert_eq!(error.code, ErrorCode::NothingCaptured);
    let found = probed(&server.source(&["shop"]), &place).await.unwrap();
    assert_eq!(found.missing_databases, ["shop"]);
    found.missing_grants.iter().for_each(|grant| drop(server.sql(grant)));
    captured(&server.source(&["shop"]), &place).await;
}

#[tokio::test]
async fn a_wrong_password_is_told_as_that() {
    let (server, place) = (MariaDb::start(), Place::new());
    let mut source = server.source(&["shop"]);
    source
        .credentials
        .set(CredentialField::Password, SecretString::from("wrong"));
    let error = refused(&source, &place).await;
    assert_eq!(error.code, ErrorCode::AuthFailed);
    assert!(error.message.contains("dump"), "{error}");
    assert_eq!(probed(&source, &place).await.unwrap_err().code, ErrorCode::AuthFailed);
}
