//! Dumps into new databases of the server they came from, or another one.

use serde_json::{Value, json};

use super::stage::{count, succeeded};
use crate::{
    mysql::stage as mysql,
    postgres::stage as postgres,
    support::{
        mariadb::{self, MariaDb},
        pg_source::{self, PgSource},
        site::Site,
    },
};

/// A database server as a source that was backed up.
struct Stage {
    site: Site,
    source: String,
    snapshot: String,
}

impl Stage {
    async fn new(kind: &str, port: u16, password: &str) -> Self {
        let mut site = Site::start().await;
        let config =
            json!({"host": "127.0.0.1", "port": port, "user": "dump", "databases": ["shop", "other"], "tls": "none"});
        let body = json!({"name": "db", "kind": kind, "config": config, "credentials": {"password": password}});
        let source = site.api.post("/api/v1/sources", body).await.expect(201);
        let source = source["id"].as_str().unwrap().to_owned();
        let files = std::mem::replace(&mut site.source, source.clone());
        let snapshot = site.snapshot().await;
        site.source = files;
        Self { site, source, snapshot }
    }

    async fn restore(&self, order: Value) -> Value {
        let mut body = json!({"target_source_id": self.source, "dry_run": false, "confirm": "db"});
        for (field, value) in order.as_object().unwrap() {
            body[field] = value.clone();
        }
        let path = format!("/api/v1/snapshots/{}/restores-to-source", self.snapshot);
        let answer = self.site.api.post(&path, body).await.expect(202);
        self.site.over(answer["job"]["id"].as_str().unwrap()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_databases_come_back_as_new_ones_equal_by_content() {
    let server = MariaDb::start();
    mysql::shop(&server, "shop");
    mysql::shop(&server, "other");
    server.sql("create user writer@'%' identified by 'write'; grant all on *.* to writer@'%'");
    let stage = Stage::new("mysql", server.port, mariadb::PASSWORD).await;
    let order = json!({"paths": ["databases/shop.sql"], "databases": {"shop": "shop back"}});
    let writer = json!({"user": "writer", "password": "write"});

    // The login of the source may only read.
    let mut dry = order.clone();
    dry["dry_run"] = true.into();
    let plan = succeeded(&stage.restore(dry.clone()).await);
    let obstacle = plan["obstacles"][0].as_str().unwrap_or_default();
    assert!(
        obstacle.contains("GRANT CREATE") && obstacle.contains("`shop back`"),
        "{plan}"
    );
    let refused = stage.restore(order.clone()).await;
    assert_eq!(refused["error"]["code"], "missing_privilege", "{refused}");
    dry["credentials"] = writer.clone();
    let plan = succeeded(&stage.restore(dry).await);
    assert_eq!(
        (count(&plan, "create"), &plan["obstacles"]),
        (1, &Value::Null),
        "{plan}"
    );
    assert!(!server.sql("show databases").contains("back"));

    let mut order = order;
    order["credentials"] = writer;
    let report = succeeded(&stage.restore(order.clone()).await);
    assert_eq!(count(&report, "create"), 1, "{report}");
    assert_eq!(
        mysql::everything(&server, "shop"),
        mysql::everything(&server, "shop back")
    );

    // What exists is never loaded into, nor removed.
    server.sql_in("shop back", "delete from old");
    let again = stage.restore(order).await;
    assert_eq!(again["error"]["code"], "nothing_restored", "{again}");
    assert_eq!(server.sql_in("shop back", "select count(*) from old").trim(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_databases_come_back_as_new_ones_equal_by_content() {
    let server = PgSource::start();
    for name in ["shop", "other"] {
        postgres::shop(&server, name);
    }
    server.sql("postgres", "create role writer superuser login password 'write'");
    let stage = Stage::new("postgres", server.port, pg_source::PASSWORD).await;
    let refused = stage.restore(json!({})).await;
    assert_eq!(refused["error"]["code"], "missing_privilege", "{refused}");
    let report = stage
        .restore(json!({"credentials": {"user": "writer", "password": "write"}}))
        .await;
    let report = succeeded(&report);
    assert_eq!(count(&report, "create"), 2, "{report}");
    for line in report["sample"].as_array().unwrap() {
        let name = line["path"].as_str().unwrap();
        let (old, _) = name.split_once("_restored_20").expect("the time in its name");
        postgres::assert_same(&without_owners(&server, old), &without_owners(&server, name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_load_whole_is_removed_again_and_the_others_stay() {
    let server = MariaDb::start();
    mysql::shop(&server, "other");
    server.sql("create database shop");
    server.grant("shop");
    server.sql_in(
        "shop",
        "create table t (id int); create definer=root@localhost view v as select 1 as one",
    );
    // May do everything but make views in the name of others.
    server.sql("create user writer@'%' identified by 'write'; grant all on *.* to writer@'%'");
    server.sql("revoke set user on *.* from writer@'%'; revoke super on *.* from writer@'%'");
    let stage = Stage::new("mysql", server.port, mariadb::PASSWORD).await;
    let order = json!({"databases": {"shop": "back"}, "credentials": {"user": "writer", "password": "write"}});
    let job = stage.restore(order).await;
    assert_eq!(job["state"], "failed", "{job}");
    assert_eq!(job["error"]["code"], "load_failed", "{job}");
    let left = server.sql("show databases");
    assert!(!left.contains("back") && !left.contains("_restored_"), "{left}");
    assert!(left.contains("shop") && left.contains("other"), "{left}");
}

/// Everything but whom it belongs to and who may do what.
fn without_owners(server: &PgSource, database: &str) -> String {
    let all = postgres::everything(server, database);
    let kept = all.lines().filter(|line| {
        let rights = ["--", "GRANT ", "REVOKE ", "ALTER DEFAULT PRIVILEGES"];
        !line.is_empty() && !line.contains(" OWNER TO ") && !rights.iter().any(|start| line.starts_with(start))
    });
    kept.collect::<Vec<_>>().join("\n")
}
