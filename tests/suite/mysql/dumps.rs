//! What a dump holds: loaded again, it is the same database.

use xvault::domain::{entry::ProblemKind, error_code::ErrorCode};

use super::stage::{captured, everything, probed, refused, shop};
use crate::support::{mariadb::MariaDb, ssh_place::Place};

#[tokio::test]
async fn a_database_loaded_from_its_dump_is_the_same_by_content() {
    let (server, other, place) = (MariaDb::start(), MariaDb::start(), Place::new());
    shop(&server, "shop");
    let (stored, report) = captured(&server.source(&["shop"]), &place).await;
    assert_eq!(report.transport, "mysql");

    other.sql("create database copy character set utf8mb4 collate utf8mb4_unicode_ci");
    other.sql_in("copy", &stored.text("databases/shop.sql"));
    let (before, after) = (everything(&server, "shop"), everything(&other, "copy"));
    assert!(
        before.contains("emoji 🎉 ümläut") && before.contains("CREATE DEFINER"),
        "{before}"
    );
    assert_eq!(before, after);

    let record = stored.record("shop");
    assert_eq!(
        (
            &record["database"],
            &record["collation"],
            &record["routines"],
            &record["events"],
            &record["triggers"]
        ),
        (
            &"shop".into(),
            &"utf8mb4_unicode_ci".into(),
            &2.into(),
            &1.into(),
            &1.into()
        )
    );
    assert_eq!(record["server"]["flavour"], "MariaDB");
    assert_eq!(record["dump"]["bytes"], stored.files["databases/shop.sql"].len());
    let tables = record["dump"]["tables"].as_array().unwrap();
    let names: Vec<_> = tables.iter().map(|table| table["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["child", "items", "log", "old", "parent", "part", "weird `name"]);
    for (name, table) in names.iter().zip(tables) {
        let count = server.sql_in("shop", &format!("select count(*) from `{}`", name.replace('`', "``")));
        assert_eq!(table["rows"].to_string(), count.trim(), "{name}");
    }
}

#[tokio::test]
async fn what_a_dump_cannot_hold_consistently_or_at_all_is_told() {
    let (server, place) = (MariaDb::start(), Place::new());
    shop(&server, "shop");
    server.sql_in(
        "shop",
        "create table m (f float); create table ver (id int) with system versioning",
    );
    let (stored, _) = captured(&server.source(&["shop"]), &place).await;
    let told = |words: &str| {
        let of = |problem: &&xvault::domain::entry::Problem| problem.message.contains(words);
        assert!(
            stored.problems.iter().any(|problem| of(&problem)),
            "{words}: {:?}",
            stored.problems
        );
    };
    told("no transactions, so they may be of a later moment than the rest: old (MyISAM)");
    told("only their definitions are kept, in the .json beside the dump: broken");
    told("six digits that the server prints: m.f");
    told("not their history: ver");
    let notes = stored.problems.iter().all(|problem| problem.kind == ProblemKind::Note);
    assert!(notes, "{:?}", stored.problems);
    let broken = &stored.record("shop")["not_dumped"][0];
    assert_eq!(broken["view"], "broken");
    assert!(broken["definition"].as_str().unwrap().contains("from"), "{broken}");
}

#[tokio::test]
async fn all_databases_are_those_the_login_sees_and_their_names_may_be_anything() {
    let (server, place) = (MariaDb::start(), Place::new());
    for name in ["-x a/b", "größe", "x_1", "x%1"] {
        server.sql(&format!("create database `{name}`"));
        server.sql_in(name, "create table t (id int) engine=innodb; insert into t values (7)");
        server.grant(&name.replace('_', r"\_").replace('%', r"\%"));
    }
    server.sql("create database hidden");
    let (stored, _) = captured(&server.source(&[]), &place).await;
    let dumps: Vec<_> = stored.files.keys().filter(|path| path.ends_with(".sql")).collect();
    assert_eq!(
        dumps,
        [
            "databases/%2Dx a%2Fb.sql",
            "databases/größe.sql",
            "databases/x%251.sql",
            "databases/x_1.sql"
        ]
    );
    let found = probed(&server.source(&["größe"]), &place).await.unwrap();
    let chosen: Vec<_> = found
        .databases
        .iter()
        .map(|d| (d.name.as_str(), d.chosen, d.tables.unwrap()))
        .collect();
    assert_eq!(
        chosen,
        [
            ("-x a/b", false, 1),
            ("größe", true, 1),
            ("x%1", false, 1),
            ("x_1", false, 1)
        ]
    );
    assert!(found.server.unwrap().starts_with("MariaDB 10."));

    let error = refused(&server.source(&["größe", "nowhere"]), &place).await;
    assert_eq!(error.code, ErrorCode::DatabaseNotFound);
    assert!(error.message.contains("nowhere"), "{error}");
}
