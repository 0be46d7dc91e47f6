//! Loading dumps into servers: by a login, over the same ways that dumps are made.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use xvault::{
    connectors::{
        database::{DatabaseSource, Server as _},
        mysql::Access,
        program::Feed,
    },
    domain::{error_code::ErrorCode, job::JobError},
};

use super::stage::{captured, everything, shop};
use crate::support::{
    feeding::{broken_off, whole},
    mariadb::MariaDb,
    scratch::temp_dir,
    ssh_place::Place,
};

const LONG: Duration = Duration::from_secs(60);

/// Loads into the new database `copy`.
async fn loaded(server: &MariaDb, place: &Place, feed: Feed, time: Duration) -> Result<(), JobError> {
    server.sql("drop database if exists copy; grant all on copy.* to dump@'%'; grant set user on *.* to dump@'%'");
    let (source, cancel): (DatabaseSource, _) = (server.source(&["copy"]), CancellationToken::new());
    let access = Access::open(&source, &place.ctx, None, &cancel).await?;
    let loaded = async {
        let collation = "utf8mb4_unicode_ci";
        access.create_database("copy", "utf8mb4", collation, &cancel).await?;
        access.load("copy", feed, time, &cancel).await
    };
    let loaded = loaded.await;
    access.into_reach().close().await;
    assert_eq!(place.left_behind(), 0);
    loaded
}

#[tokio::test]
async fn a_dump_is_loaded_by_a_login_into_a_new_database() {
    let (server, place) = (MariaDb::start(), Place::new());
    shop(&server, "shop");
    let (stored, _) = captured(&server.source(&["shop"]), &place).await;
    let dump = &stored.files["databases/shop.sql"];
    loaded(&server, &place, whole(dump), LONG).await.unwrap();
    assert_eq!(everything(&server, "shop"), everything(&server, "copy"));
}

#[tokio::test]
async fn what_does_not_load_whole_says_why() {
    let (server, place) = (MariaDb::start(), Place::new());
    let load = async |feed, time| loaded(&server, &place, feed, time).await.unwrap_err();
    let refused = load(whole(b"create table a (id int);\ncreate table b (id int int);\n"), LONG).await;
    assert_eq!(refused.code, ErrorCode::LoadFailed);
    assert!(
        refused.message.contains("1064") && refused.message.contains("the database copy"),
        "{refused}"
    );
    let cut = load(broken_off(b"create table a (id int);\n"), LONG).await;
    assert_eq!(cut.code, ErrorCode::TransferInterrupted);
    let endless = load(whole(b"do sleep(1000);\n"), Duration::from_secs(1)).await;
    assert_eq!(endless.code, ErrorCode::LoadTooLong);
}

#[tokio::test]
async fn a_dump_cannot_make_the_client_program_do_anything() {
    let (server, place) = (MariaDb::start(), Place::new());
    let (directory, secret) = (temp_dir("owned"), temp_dir("secret"));
    let (owned, readable) = (directory.path().join("owned"), secret.path().join("file"));
    std::fs::write(&readable, "for nobody\n").unwrap();
    for command in [
        format!("system touch {};", owned.display()),
        format!("\\! touch {}", owned.display()),
        format!("select 1 \\! touch {}\n;", owned.display()),
        format!("tee {}\nselect 1;", owned.display()),
        format!("\\T {}\nselect 1;", owned.display()),
        format!("source {}", readable.display()),
        format!(
            "create table t (x text); load data local infile '{}' into table t;",
            readable.display()
        ),
    ] {
        let error = loaded(&server, &place, whole(format!("{command}\n").as_bytes()), LONG).await;
        let error = error.expect_err(&command);
        assert_eq!(error.code, ErrorCode::LoadFailed, "{command}: {error}");
        assert!(!error.message.contains("for nobody"), "{error}");
        assert!(!owned.exists(), "{command}");
    }
}
