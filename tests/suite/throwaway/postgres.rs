//! A throw-away PostgreSQL.

use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use xvault::{
    connectors::throwaway::{NewPostgres, PostgresThrowaway},
    domain::error_code::ErrorCode,
};

use super::Site;
use crate::support::{eventually, eventually::SOON};

fn shop(extensions: &[(&str, &str)]) -> NewPostgres {
    let name = |(name, schema): &(&str, &str)| (name.to_string(), schema.to_string());
    NewPostgres {
        name: "sh\"op".into(),
        encoding: "LATIN1".into(),
        extensions: extensions.iter().map(name).collect(),
    }
}

async fn start(site: &Site, extensions: &[(&str, &str)]) -> PostgresThrowaway {
    let (cancel, roles) = (CancellationToken::new(), ["app".to_owned(), "postgres".to_owned()]);
    let started = PostgresThrowaway::start(&site.ground(), 15, &[shop(extensions)], &roles, &cancel).await;
    started.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn statements_of_a_dump_reach_nothing_but_their_own_database() {
    let (site, cancel) = (Site::new(), CancellationToken::new());
    let server = start(&site, &[("dblink", "far"), ("file_fdw", "public")]).await;
    assert!(server.version().starts_with("PostgreSQL 15."), "{}", server.version());
    let access = server.access();
    let file = site.path().join("owned").display().to_string();
    for refused in [
        format!("copy (select 1) to program 'touch {file}'"),
        format!("copy (select 1) to '{file}'"),
        "create table t (x text); copy t from '/etc/passwd'".to_owned(),
        "select pg_read_file('/etc/passwd')".to_owned(),
        "select lo_import('/etc/passwd')".to_owned(),
        "create function f() returns int language c as 'libc', 'system'".to_owned(),
        "create extension plpython3u".to_owned(),
        "alter system set listen_addresses = '*'".to_owned(),
        "create role evil superuser".to_owned(),
        "alter role xvault superuser".to_owned(),
        "set role postgres".to_owned(),
        "create database other".to_owned(),
        "create server f foreign data wrapper file_fdw; create foreign table p (l text) server f options (filename '/etc/passwd')".to_owned(),
        // The superuser needs no password, and may not sign in.
        format!("select * from far.dblink('host={} user=postgres', 'select 1') as t (x int)", site.servers()[0].join("own").display()),
        "select * from far.dblink('host=127.0.0.1 user=postgres password=x', 'select 1') as t (x int)".to_owned(),
    ] {
        let error = access.command("sh\"op", &format!("{refused};"), &cancel).await.expect_err(&refused);
        assert!(!matches!(error.code, ErrorCode::Internal | ErrorCode::Cancelled), "{refused}: {error}");
    }
    assert!(!site.path().join("owned").exists());
    let roles = "select to_json(rolname) from pg_roles where rolname !~ '^pg_' order by rolname";
    let roles: Vec<Value> = access.query("sh\"op", &format!("{roles};"), &cancel).await.unwrap();
    assert_eq!(roles, ["app", "postgres", "xvault"]);
    server.end().await;
    site.assert_nothing_left();
}

#[tokio::test]
async fn one_that_is_dropped_in_the_middle_of_something_endless_is_gone() {
    let (site, cancel) = (Site::new(), CancellationToken::new());
    let server = start(&site, &[]).await;
    let endless = server
        .access()
        .command("sh\"op", "do $$ begin loop end loop; end $$;", &cancel);
    tokio::time::timeout(Duration::from_millis(500), endless)
        .await
        .expect_err("it never ends");
    assert!(!site.processes().is_empty());
    drop(server);
    eventually("nothing is left", SOON, async || site.processes().is_empty()).await;
    site.assert_nothing_left();
}

#[tokio::test]
async fn what_the_worker_lacks_is_told_with_the_package() {
    let (site, cancel) = (Site::new(), CancellationToken::new());
    let newer = PostgresThrowaway::start(&site.ground(), 99, &[shop(&[])], &[], &cancel).await;
    let error = newer.err().expect("an error");
    assert_eq!(error.code, ErrorCode::ServerMissing);
    assert!(error.hint.contains("postgresql-99"), "{error}");
    let extension = [shop(&[("no such extension", "public")])];
    let lacking = PostgresThrowaway::start(&site.ground(), 15, &extension, &[], &cancel).await;
    let error = lacking.err().expect("an error");
    assert_eq!(error.code, ErrorCode::ServerMissing);
    assert!(error.message.contains("no such extension"), "{error}");
    site.assert_nothing_left();
}
