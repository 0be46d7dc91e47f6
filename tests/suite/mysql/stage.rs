//! What the tests of this kind share: a database with everything in it, and captures of it.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use xvault::{
    connectors::{
        CaptureReport, CaptureSink, Connector, ProbeReport,
        mysql::{MysqlConnector, MysqlSource},
    },
    domain::{
        entry::{Captured, FileEnd, Problem},
        job::JobError,
    },
};

use crate::support::{mariadb::MariaDb, ssh_place::Place};

/// One of everything that a dump has to carry.
const SHOP: &str = r#"
create table items (id int primary key auto_increment, name varchar(200), price decimal(10,2), data longblob,
  made datetime(6), kind enum('a','b'), doc json, total decimal(12,2) generated always as (price * 2) stored) engine=innodb;
insert into items (name, price, data, made, kind, doc) values
  ('emoji 🎉 ümläut', 1.5, x'00ff0a270d5c22', '2026-11-22 23:59:59.123456', 'a', '{"k": "v ☃"}'),
  ('it''s; \\ "q" `b` -- x', null, null, null, null, null),
  ('', -0.01, repeat(x'00', 100000), '0000-00-00', 'b', '[]');
create table old (id int, t text) engine=myisam;
insert into old values (1, 'a'), (2, null);
create table part (id int, y int) partition by range (y) (partition p0 values less than (2000), partition p1 values
  less than maxvalue);
insert into part values (1, 1999), (2, 2020);
create table parent (id int primary key) engine=innodb;
create table child (id int, parent_id int, foreign key (parent_id) references parent (id)) engine=innodb;
insert into parent values (1); insert into child values (1, 1);
create table `weird ``name` (`select` int, `a b` varchar(10)); insert into `weird ``name` values (1, 'x');
create view v as select id, name from items where price > 0;
create table gone (id int); create view broken as select * from gone; drop table gone;
create sequence seq1 start with 100;
do nextval(seq1);
create table log (id int primary key auto_increment, note varchar(50));
delimiter //
create procedure p(in n int) begin declare i int default 0; while i < n do insert into log (note) values ('p'); set i = i + 1;
  end while; end//
create function f1(x int) returns int deterministic return x + 1//
create trigger tr after insert on items for each row begin insert into log (note) values (new.name); end//
create event ev on schedule every 1 year starts '2030-01-01' do delete from log where id < 0//
delimiter ;
"#;

/// Makes the database `name` with one of everything in it, and lets the login dump it.
pub fn shop(server: &MariaDb, name: &str) {
    server.sql(&format!(
        "set sql_mode=''; create database `{name}` character set utf8mb4 collate utf8mb4_unicode_ci"
    ));
    server.sql_in(name, &format!("set sql_mode='';\n{SHOP}"));
    server.grant(name);
}

/// What came out of a capture.
#[derive(Debug, Default)]
pub struct Stored {
    /// Content of each file that ended well, by path.
    pub files: BTreeMap<String, Vec<u8>>,
    pub problems: Vec<Problem>,
    /// A file that was begun and did not end well.
    pub broken: bool,
}

impl Stored {
    pub fn text(&self, path: &str) -> String {
        let file = self
            .files
            .get(path)
            .unwrap_or_else(|| panic!("no {path} in {:?}", self.files.keys()));
        String::from_utf8(file.clone()).unwrap()
    }

    pub fn record(&self, database: &str) -> serde_json::Value {
        serde_json::from_str(&self.text(&format!("databases/{database}.json"))).unwrap()
    }
}

pub fn connector(source: &MysqlSource, place: &Place) -> MysqlConnector {
    MysqlConnector::new(source.clone(), place.ctx.clone()).unwrap()
}

/// Captures a source; nothing may be left of it on the worker.
pub async fn capture(source: &MysqlSource, place: &Place) -> (Stored, Result<CaptureReport, JobError>) {
    let (sink, items) = CaptureSink::channel();
    let connector = connector(source, place);
    let (stored, result) = tokio::join!(store(items), connector.capture(sink, CancellationToken::new()));
    assert_eq!(place.left_behind(), 0);
    (stored, result)
}

/// A capture that must succeed.
pub async fn captured(source: &MysqlSource, place: &Place) -> (Stored, CaptureReport) {
    let (stored, result) = capture(source, place).await;
    let report = result.unwrap_or_else(|error| panic!("{error}"));
    assert!(!stored.broken);
    (stored, report)
}

/// The error of a capture that must fail, with one clear sentence and a hint.
pub async fn refused(source: &MysqlSource, place: &Place) -> JobError {
    let (stored, result) = capture(source, place).await;
    let error = result.expect_err("it must fail");
    assert!(!error.hint.is_empty() && !error.message.contains('\n'), "{error:?}");
    assert!(stored.files.is_empty(), "{:?}", stored.files.keys());
    error
}

pub async fn probed(source: &MysqlSource, place: &Place) -> Result<ProbeReport, JobError> {
    let result = connector(source, place).probe(CancellationToken::new()).await;
    assert_eq!(place.left_behind(), 0);
    result
}

async fn store(mut items: mpsc::Receiver<Captured>) -> Stored {
    let mut stored = Stored::default();
    let mut open: Option<(String, Vec<u8>)> = None;
    while let Some(item) = items.recv().await {
        match item {
            Captured::Stream(path) => open = Some((path.to_string(), Vec::new())),
            Captured::Data(data) => open.as_mut().expect("a file").1.extend_from_slice(&data),
            Captured::End(FileEnd::Complete) => stored.files.extend(open.take()),
            Captured::Problem(problem) => stored.problems.push(problem),
            other => panic!("{other:?}"),
        }
    }
    stored.broken = open.is_some();
    stored
}

/// Everything a database says about itself: definitions, and every row.
pub fn everything(server: &MariaDb, database: &str) -> String {
    let mut all = String::new();
    let tables = server.sql_in(database, "show full tables where table_type != 'VIEW'");
    for line in tables.lines() {
        let name = line.split('\t').next().unwrap().replace('`', "``");
        let sql = format!("show create table `{name}`; select * from `{name}` order by 1; checksum table `{name}`");
        // The checksum's line begins with the name of the database.
        all += &server.sql_in(database, &sql).replace(&format!("{database}."), "");
    }
    all += &server.sql_in(
        database,
        "select * from v order by 1; show create view v; show create procedure p; show create function f1; \
         show create trigger tr; show create event ev; select f1(41);",
    );
    // When a trigger was made is not part of it; which database it is in differs on purpose.
    let lines = all.lines().map(|line| match line.starts_with("tr\t") {
        true => line.rsplit_once('\t').unwrap().0.to_owned(),
        false => line.to_owned(),
    });
    lines
        .collect::<Vec<_>>()
        .join("\n")
        .replace(&format!("`{database}`."), "")
}
