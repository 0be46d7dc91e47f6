//! Loading archives into servers: by a login, over the same ways that dumps are made.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use xvault::{
    connectors::{
        database::Server as _,
        postgres::{Access, Loading},
        program::Feed,
    },
    domain::{error_code::ErrorCode, job::JobError},
};

use super::stage::{assert_same, captured, everything, shop};
use crate::support::{
    feeding::{broken_off, whole},
    pg_source::PgSource,
    ssh_place::Place,
};

const STRICT: Loading = Loading {
    major: 15,
    owners: false,
    as_far_as_rights_go: false,
    time: Duration::from_secs(60),
};

/// Loads into the new database `copy`; gives what was refused for want of rights.
async fn loaded(server: &PgSource, place: &Place, feed: Feed, loading: Loading) -> Result<Vec<String>, JobError> {
    server.sql("postgres", "drop database if exists copy");
    server.sql("postgres", "alter role dump createdb");
    let (source, cancel) = (server.source(&["copy"]), CancellationToken::new());
    let access = Access::open(&source, &place.ctx, None, &cancel).await?;
    let loaded = async {
        access.create_database("copy", "UTF8", None, &cancel).await?;
        access.load("copy", feed, loading, &cancel).await
    };
    let loaded = loaded.await;
    access.into_reach().close().await;
    assert_eq!(place.left_behind(), 0);
    loaded
}

#[tokio::test]
async fn an_archive_is_loaded_by_a_login_into_a_new_database() {
    let (server, place) = (PgSource::start(), Place::new());
    shop(&server, "shop");
    let (stored, _) = captured(&server.source(&["shop"]), &place).await;
    let archive = &stored.files["databases/shop.dump"];
    assert_eq!(loaded(&server, &place, whole(archive), STRICT).await.unwrap(), [""; 0]);
    let of = |database: &str| everything(&server, database);
    // Whose it is, and who else may use it, was not asked for.
    let plain = |text: String, owner: &str| {
        let lines = text
            .lines()
            .map(|line| line.replace(&format!("Owner: {owner}"), "Owner: "));
        let lines = lines.filter(|line| !line.contains("OWNER TO") && !line.starts_with("GRANT"));
        lines
            .filter(|line| !line.contains("ACL") && !line.is_empty() && line != "--")
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_same(&plain(of("shop"), "postgres"), &plain(of("copy"), "dump"));
}

#[tokio::test]
async fn what_does_not_load_whole_says_why() {
    let (server, place) = (PgSource::start(), Place::new());
    shop(&server, "shop");
    server.sql(
        "shop",
        "create function watched() returns event_trigger language plpgsql as $$begin end$$; \
         create event trigger watch on ddl_command_end execute function watched()",
    );
    let (stored, _) = captured(&server.source(&["shop"]), &place).await;
    let archive = &stored.files["databases/shop.dump"];

    let refused = loaded(&server, &place, whole(archive), STRICT).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::LoadFailed);
    assert!(
        refused.message.contains("permission denied to create event trigger"),
        "{refused}"
    );
    let lenient = Loading {
        as_far_as_rights_go: true,
        ..STRICT
    };
    let refusals = loaded(&server, &place, whole(archive), lenient).await.unwrap();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert!(refusals[0].contains("event trigger \"watch\""), "{refusals:?}");

    let half = &archive[..archive.len() / 2];
    let cut = loaded(&server, &place, broken_off(half), lenient).await.unwrap_err();
    assert_eq!(cut.code, ErrorCode::TransferInterrupted);
    let short = loaded(&server, &place, whole(half), lenient).await.unwrap_err();
    assert_eq!(short.code, ErrorCode::LoadFailed);
    let nonsense = loaded(&server, &place, whole(b"PGDMPnonsense"), lenient)
        .await
        .unwrap_err();
    assert_eq!(nonsense.code, ErrorCode::LoadFailed);
    let too_new = Loading { major: 99, ..STRICT };
    let too_new = loaded(&server, &place, whole(archive), too_new).await.unwrap_err();
    assert_eq!(too_new.code, ErrorCode::ClientMissing);
}
