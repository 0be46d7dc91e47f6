//! A throw-away MariaDB.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use xvault::{
    connectors::throwaway::{MariadbThrowaway, NewMariadb},
    domain::error_code::ErrorCode,
};

use super::Site;
use crate::support::{eventually, eventually::SOON, feeding::whole};

const SHOP: NewMariadb<'static> = NewMariadb {
    name: "sh_op",
    character_set: "utf8mb4",
    collation: "utf8mb4_general_ci",
};

const LONG: Duration = Duration::from_secs(60);

async fn start(site: &Site) -> MariadbThrowaway {
    let cancel = CancellationToken::new();
    MariadbThrowaway::start(&site.ground(), &[SHOP], &cancel)
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn statements_of_a_dump_reach_nothing_but_their_own_database() {
    let (site, cancel) = (Site::new(), CancellationToken::new());
    let server = start(&site).await;
    assert!(server.version().starts_with("MariaDB 1"), "{}", server.version());
    let access = server.access();
    let file = site.path().join("owned").display().to_string();
    let lib = "xvault.so";
    for refused in [
        format!("select 'x' into outfile '{file}'"),
        format!("set global general_log_file = '{file}'"),
        "load data infile '/etc/passwd' into table t".to_owned(),
        format!("install soname '{lib}'"),
        format!("create function f returns int soname '{lib}'"),
        "create database other".to_owned(),
        "create user evil".to_owned(),
        "grant all on *.* to xvault@localhost".to_owned(),
        "select * from mysql.global_priv".to_owned(),
        "set global event_scheduler = on".to_owned(),
        "create table f (a int) engine=federated connection='mysql://root@127.0.0.1/x/f'".to_owned(),
        // With the rights of a superuser, if there were one.
        "create definer=root@localhost procedure p() sql security definer select load_file('/etc/passwd'); call p()".to_owned(),
        "create definer=`mariadb.sys`@localhost procedure q() sql security definer delete from mysql.global_priv; call q()".to_owned(),
    ] {
        let dump = format!("create table if not exists t (a text);\n{refused};\n");
        let error = access.load("sh_op", whole(dump.as_bytes()), LONG, &cancel).await.expect_err(&refused);
        assert_eq!(error.code, ErrorCode::LoadFailed, "{refused}: {error}");
    }
    let quiet = "create event e on schedule every 1 second do insert into t values ('event');\n\
        insert into t values (coalesce(load_file('/etc/passwd'), 'nothing'));\n";
    access
        .load("sh_op", whole(quiet.as_bytes()), LONG, &cancel)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(
        access.query("select * from sh_op.t;", &cancel).await.unwrap(),
        [["nothing"]]
    );
    assert!(!site.path().join("owned").exists());
    server.end().await;
    site.assert_nothing_left();
}

#[tokio::test]
async fn one_that_is_dropped_in_the_middle_of_something_endless_is_gone() {
    let (site, cancel) = (Site::new(), CancellationToken::new());
    let server = start(&site).await;
    let endless = server
        .access()
        .load("sh_op", whole(b"do benchmark(1e18, md5('x'));\n"), LONG, &cancel);
    tokio::time::timeout(Duration::from_millis(500), endless)
        .await
        .expect_err("it never ends");
    assert!(!site.processes().is_empty());
    drop(server);
    eventually("nothing is left", SOON, async || site.processes().is_empty()).await;
    site.assert_nothing_left();
}

#[tokio::test]
async fn a_database_of_the_server_itself_is_not_made() {
    let (site, cancel) = (Site::new(), CancellationToken::new());
    let own = NewMariadb { name: "MySQL", ..SHOP };
    let error = MariadbThrowaway::start(&site.ground(), &[own], &cancel)
        .await
        .err()
        .expect("an error");
    assert_eq!(error.code, ErrorCode::NothingToProve);
    let ground = xvault::connectors::throwaway::Ground {
        expected: u64::MAX / 2,
        ..site.ground()
    };
    let error = MariadbThrowaway::start(&ground, &[SHOP], &cancel)
        .await
        .err()
        .expect("an error");
    assert_eq!(error.code, ErrorCode::WorkspaceFull);
    site.assert_nothing_left();
}
