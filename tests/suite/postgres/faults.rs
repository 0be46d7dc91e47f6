//! What goes wrong in the middle: own codes, no dump, nothing left running on either side.

use std::{process::Stdio, time::Duration};

use xvault::{connectors::egress::EgressPolicy, domain::error_code::ErrorCode};

use super::stage::{connector, refused};
use crate::support::{
    dumping::{self, Held},
    eventually::{SOON, eventually},
    pg_source::PgSource,
    ssh_place::Place,
};

/// A database whose dump takes a while: first a large table, then a small one.
pub fn large(server: &PgSource) {
    server.sql("postgres", "create database large");
    server.sql(
        "large",
        "create table a_large as select n, repeat('x', 1000) as text from generate_series(1, 60000) n; \
         create table z_last as select 1 as id",
    );
}

async fn held(server: &PgSource, place: &Place) -> Held {
    Held::begin_at(connector(&server.source(&["large"]), place), "databases/large.dump").await
}

#[tokio::test]
async fn a_server_killed_in_the_middle_fails_the_dump() {
    let (mut server, place) = (PgSource::start(), Place::new());
    large(&server);
    let held = held(&server, &place).await;
    server.kill();
    let error = held.fails().await;
    assert_eq!(error.code, ErrorCode::TransferInterrupted, "{error}");
    assert_eq!(place.left_behind(), 0);
}

#[tokio::test]
async fn a_connection_that_the_server_ends_fails_the_dump() {
    let (server, place) = (PgSource::start(), Place::new());
    large(&server);
    let held = held(&server, &place).await;
    server.sql(
        "postgres",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'dump'",
    );
    let error = held.fails().await;
    assert_eq!(error.code, ErrorCode::TransferInterrupted, "{error}");
}

#[tokio::test]
async fn a_table_dropped_before_it_is_locked_fails_the_dump() {
    let (server, place) = (PgSource::start(), Place::new());
    large(&server);
    // The change is under way when the dump wants its lock, and is done when it gets it.
    let mut changing = server
        .client("psql", "large")
        .args(["-X", "-q"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut say = |sql: &str| std::io::Write::write_all(changing.stdin.as_mut().unwrap(), sql.as_bytes()).unwrap();
    say("begin; drop table z_last;\n");
    eventually("the table is locked", SOON, async || {
        let locks = "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and locktype = 'relation'";
        server.sql("large", locks).trim() != "0"
    })
    .await;
    let connector = connector(&server.source(&["large"]), &place);
    let capture = tokio::spawn(async move { dumping::capture(connector, &Place::new()).await });
    eventually("the dump waits", SOON, async || {
        let waiting = "select count(*) from pg_stat_activity where usename = 'dump' and wait_event_type = 'Lock'";
        server.sql("postgres", waiting).trim() == "1"
    })
    .await;
    say("commit;\n\\q\n");
    let (stored, result) = capture.await.unwrap();
    let error = result.expect_err("it must fail");
    assert_eq!(error.code, ErrorCode::SchemaChanged, "{error}");
    assert!(stored.broken && !stored.files.contains_key("databases/large.dump"));
    changing.wait().unwrap();
}

#[tokio::test]
async fn a_change_during_the_dump_waits_for_its_end() {
    let (server, place) = (PgSource::start(), Place::new());
    large(&server);
    let held = held(&server, &place).await;
    let output = server
        .client("psql", "large")
        .args(["-X", "-c", "set lock_timeout = 100", "-c", "drop table z_last"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("lock timeout"));
    held.succeeds().await;
}

#[tokio::test]
async fn a_cancelled_dump_leaves_no_connection_and_no_program() {
    let (server, place) = (PgSource::start(), Place::new());
    large(&server);
    let held = held(&server, &place).await;
    assert_eq!(server.connections(), 1);
    held.cancel.cancel();
    assert_eq!(held.fails().await.code, ErrorCode::Cancelled);
    assert_eq!(place.left_behind(), 0);
    eventually("the connection is gone", SOON, async || server.connections() == 0).await;
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_by_its_cause() {
    let place = Place::new();
    let mut server = PgSource::start();
    let source = server.source(&["shop"]);
    server.kill();
    assert_eq!(refused(&source, &place).await.code, ErrorCode::ConnectFailed);

    let mut forbidding = Place::new();
    forbidding.ctx.egress = std::sync::Arc::new(EgressPolicy::default());
    assert_eq!(refused(&source, &forbidding).await.code, ErrorCode::AddressForbidden);

    // Something else answers there.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut other = source.clone();
    other.config.port = listener.local_addr().unwrap().port();
    let speaking = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"SSH-2.0-OpenSSH_9.2\r\n").await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    assert_eq!(refused(&other, &place).await.code, ErrorCode::ProtocolError);
    speaking.abort();
}

#[tokio::test]
async fn too_many_connections_are_a_busy_server() {
    let (server, place) = (PgSource::start(), Place::new());
    large(&server);
    server.sql("postgres", "alter role dump connection limit 1");
    let held = held(&server, &place).await;
    assert_eq!(
        refused(&server.source(&["large"]), &Place::new()).await.code,
        ErrorCode::SourceBusy
    );
    held.cancel.cancel();
    held.fails().await;
}
