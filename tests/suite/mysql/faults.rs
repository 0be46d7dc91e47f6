//! What goes wrong in the middle: own codes, no dump, nothing left running on either side.

use std::time::Duration;

use xvault::{connectors::egress::EgressPolicy, domain::error_code::ErrorCode};

use super::stage::{captured, connector, refused, shop};
use crate::support::{
    dumping::Held,
    eventually::{SOON, eventually},
    mariadb::MariaDb,
    small_disk::SmallDisk,
    source_server::Owner,
    ssh_place::Place,
};

/// A database whose dump takes a while: first a large table, then a small one.
pub fn large(server: &MariaDb) {
    server.sql("create database large");
    server.sql_in(
        "large",
        "create table a_large engine=innodb as select seq, repeat('x', 1000) as text from seq_1_to_60000; \
         create table z_last (id int) engine=innodb; insert into z_last values (1)",
    );
    server.grant("large");
}

#[tokio::test]
async fn a_server_killed_in_the_middle_fails_the_dump() {
    let (mut server, place) = (MariaDb::start(), Place::new());
    large(&server);
    let held = Held::begin(connector(&server.source(&["large"]), &place)).await;
    server.kill();
    let error = held.fails().await;
    assert_eq!(error.code, ErrorCode::TransferInterrupted, "{error}");
    assert_eq!(place.left_behind(), 0);
}

#[tokio::test]
async fn a_connection_that_the_server_ends_fails_the_dump() {
    let (server, place) = (MariaDb::start(), Place::new());
    large(&server);
    let held = Held::begin(connector(&server.source(&["large"]), &place)).await;
    server.sql("kill user dump");
    let error = held.fails().await;
    assert_eq!(error.code, ErrorCode::TransferInterrupted, "{error}");
}

#[tokio::test]
async fn a_schema_changed_in_the_middle_fails_the_dump() {
    let (server, place) = (MariaDb::start(), Place::new());
    large(&server);
    for change in [
        "alter table z_last modify id bigint, algorithm=copy",
        "drop table z_last",
    ] {
        let held = Held::begin(connector(&server.source(&["large"]), &place)).await;
        server.sql_in("large", change);
        let error = held.fails().await;
        assert_eq!(error.code, ErrorCode::SchemaChanged, "{error}");
    }
}

#[tokio::test]
async fn a_cancelled_dump_leaves_no_connection_and_no_program() {
    let (server, place) = (MariaDb::start(), Place::new());
    large(&server);
    let held = Held::begin(connector(&server.source(&["large"]), &place)).await;
    assert_eq!(server.connections(), 1);
    held.cancel.cancel();
    assert_eq!(held.fails().await.code, ErrorCode::Cancelled);
    assert_eq!(place.left_behind(), 0);
    eventually("the connection is gone", SOON, async || server.connections() == 0).await;
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_by_its_cause() {
    let place = Place::new();
    let mut server = MariaDb::start();
    let source = server.source(&["shop"]);
    server.kill();
    assert_eq!(refused(&source, &place).await.code, ErrorCode::ConnectFailed);

    let mut forbidding = Place::new();
    forbidding.ctx.egress = std::sync::Arc::new(EgressPolicy::default());
    assert_eq!(refused(&source, &forbidding).await.code, ErrorCode::AddressForbidden);

    // Something else answers there, and something that says nothing useful.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut other = source.clone();
    other.config.port = listener.local_addr().unwrap().port();
    let speaking = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let greeting = b"\x10\0\0\0SSH-2.0-OpenSSH_";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, greeting).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    assert_eq!(refused(&other, &place).await.code, ErrorCode::ProtocolError);
    speaking.abort();
}

#[tokio::test]
async fn a_full_disk_of_the_server_is_told_as_that_and_passes() {
    let disk = SmallDisk::new(4);
    Owner("mysql").take(disk.path());
    let temporary = format!("--tmpdir={}", disk.path().display());
    let (server, place) = (MariaDb::with(&[&temporary]), Place::new());
    shop(&server, "shop");
    let source = server.source(&["shop"]);
    disk.fill(0);
    let error = refused(&source, &place).await;
    assert_eq!(error.code, ErrorCode::SourceFull, "{error}");
    assert!(error.is_transient(), "{error}");
    disk.empty();
    captured(&source, &place).await;
}

#[tokio::test]
async fn too_many_connections_are_a_busy_server() {
    let (server, place) = (MariaDb::with(&["--max-user-connections=1"]), Place::new());
    large(&server);
    let held = Held::begin(connector(&server.source(&["large"]), &place)).await;
    assert_eq!(
        refused(&server.source(&["large"]), &Place::new()).await.code,
        ErrorCode::SourceBusy
    );
    held.cancel.cancel();
    held.fails().await;
}
