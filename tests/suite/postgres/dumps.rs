//! What a dump holds: loaded again, it is the same database.

use xvault::domain::error_code::ErrorCode;

use super::stage::{assert_same, captured, everything, load, probed, refused, shop};
use crate::support::{pg_source::PgSource, ssh_place::Place};

#[tokio::test]
async fn a_database_loaded_from_its_dump_is_the_same_by_content() {
    let (server, place) = (PgSource::start(), Place::new());
    shop(&server, "shop");
    let (stored, report) = captured(&server.source(&["shop"]), &place).await;
    assert_eq!(report.transport, "postgres");

    load(&server, &stored.files["databases/shop.dump"], "copy");
    let (before, after) = (everything(&server, "shop"), everything(&server, "copy"));
    for part in [
        "emoji 🎉 ümläut",
        "ATTACH PARTITION",
        "CREATE TRIGGER tr",
        "CREATE MATERIALIZED VIEW",
        "CREATE RULE",
        "4711|",
    ] {
        assert!(before.contains(part), "{part} is not in {before}");
    }
    assert_same(&before, &after);

    let record = stored.record("shop");
    assert_eq!(
        (
            &record["database"],
            &record["encoding"],
            &record["large_objects"],
            &record["triggers"]
        ),
        (&"shop".into(), &"UTF8".into(), &2.into(), &1.into())
    );
    assert_eq!(record["server"]["major"], 15);
    assert_eq!(record["dump"]["bytes"], stored.files["databases/shop.dump"].len());
    assert_eq!(record["dump"]["large_objects"], 2);
    let tables = record["dump"]["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 7, "{tables:?}");
    for table in tables {
        let word = |key: &str| table[key].as_str().unwrap().replace('"', "\"\"");
        let sql = format!("select count(*) from only \"{}\".\"{}\"", word("schema"), word("name"));
        assert_eq!(table["rows"].to_string(), server.sql("shop", &sql).trim(), "{table}");
    }
    let relations = record["relations"].as_array().unwrap();
    let of_kind = |kind: &str| relations.iter().filter(|relation| relation["kind"] == kind).count();
    assert_eq!((of_kind("partitioned table"), of_kind("materialized view")), (1, 1));
}

#[tokio::test]
async fn roles_come_with_their_passwords_only_where_the_login_may_read_them() {
    let (server, place) = (PgSource::start(), Place::new());
    server.sql(
        "postgres",
        "create role \"odd 'role\" login password 'x'; create database shop",
    );
    let (stored, _) = captured(&server.source(&["shop"]), &place).await;
    let globals = stored.text("databases/globals.sql");
    assert!(globals.contains("CREATE ROLE \"odd 'role\""), "{globals}");
    assert!(
        globals.contains("SCRAM-SHA-256"),
        "pg_read_all_data reads hashes: {globals}"
    );

    server.sql("postgres", "revoke pg_read_all_data from dump");
    let (stored, report) = captured(&server.source(&["shop"]), &place).await;
    let globals = stored.text("databases/globals.sql");
    assert!(globals.contains("CREATE ROLE \"odd 'role\"") && !globals.contains("SCRAM-SHA-256"));
    assert!(
        stored
            .problems
            .iter()
            .any(|problem| problem.message.contains("without them"))
    );
    assert!(report.not_carried.iter().any(|sentence| sentence.contains("pg_authid")));
    let found = probed(&server.source(&["shop"]), &place).await.unwrap();
    assert!(
        found
            .cannot_capture
            .iter()
            .any(|sentence| sentence.contains("pg_authid"))
    );
    // What was stored is loaded by the stock program, as the page says.
    let other = PgSource::start();
    other.sql(
        "postgres",
        &globals
            .replace("CREATE ROLE dump;", "")
            .replace("CREATE ROLE postgres;", ""),
    );
    let there = other.sql("postgres", "select count(*) from pg_roles where rolname = 'odd ''role'");
    assert_eq!(there.trim(), "1");
}

#[tokio::test]
async fn extensions_and_foreign_tables_are_told() {
    let (server, place) = (PgSource::start(), Place::new());
    server.sql("postgres", "create database shop");
    server.sql(
        "shop",
        "create extension hstore; create extension postgres_fdw; create server far foreign data wrapper postgres_fdw; \
         create foreign table away (id int) server far",
    );
    let (stored, _) = captured(&server.source(&["shop"]), &place).await;
    let told = |words: &str| stored.problems.iter().any(|problem| problem.message.contains(words));
    assert!(told("must be installed") && told("hstore 1."), "{:?}", stored.problems);
    assert!(told(
        "rows of foreign tables are elsewhere and are not dumped: public.away"
    ));
    assert_eq!(stored.record("shop")["extensions"][0]["name"], "hstore");
}

#[tokio::test]
async fn all_databases_are_those_the_login_may_connect_to_and_their_names_may_be_anything() {
    let (server, place) = (PgSource::start(), Place::new());
    for name in ["-x a/b", "größe", "host=evil", "x%1", "it''s"] {
        server.sql("postgres", &format!("create database \"{name}\""));
    }
    server.sql("größe", "create table t (id int); insert into t values (7)");
    server.sql(
        "postgres",
        "create database closed; revoke connect on database closed from public",
    );
    let (stored, report) = captured(&server.source(&[]), &place).await;
    let dumps: Vec<_> = stored.files.keys().filter(|path| path.ends_with(".dump")).collect();
    assert_eq!(dumps.len(), 6, "{dumps:?}");
    assert!(stored.files.contains_key("databases/host=evil.dump"), "{dumps:?}");
    assert!(stored.files.contains_key("databases/größe.dump"), "{dumps:?}");
    assert!(
        report.not_carried.iter().any(|sentence| sentence.contains("closed")),
        "{report:?}"
    );

    let found = probed(&server.source(&["größe"]), &place).await.unwrap();
    let chosen: Vec<_> = found.databases.iter().filter(|d| d.chosen).collect();
    assert!(
        chosen.len() == 1 && chosen[0].name == "größe" && chosen[0].bytes > 1_000_000,
        "{found:?}"
    );
    assert!(found.databases.len() == 7 && found.server.unwrap().starts_with("PostgreSQL 15."));

    let error = refused(&server.source(&["größe", "nowhere"]), &place).await;
    assert_eq!(error.code, ErrorCode::DatabaseNotFound);
    assert!(error.message.contains("nowhere"), "{error}");
    let found = probed(&server.source(&["nowhere"]), &place).await.unwrap();
    assert_eq!(found.missing_databases, ["nowhere"]);
}
