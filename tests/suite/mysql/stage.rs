//! What the tests of this kind share: a database with everything in it, and captures of it.

use xvault::{
    connectors::{CaptureReport, ProbeReport, database::DatabaseSource, mysql::MysqlConnector},
    domain::job::JobError,
};

use crate::support::{
    dumping::{self, Stored},
    mariadb::MariaDb,
    ssh_place::Place,
};

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

pub fn connector(source: &DatabaseSource, place: &Place) -> MysqlConnector {
    MysqlConnector::new(source.clone(), place.ctx.clone()).unwrap()
}

/// See [`dumping::captured`].
pub async fn captured(source: &DatabaseSource, place: &Place) -> (Stored, CaptureReport) {
    dumping::captured(connector(source, place), place).await
}

/// See [`dumping::refused`].
pub async fn refused(source: &DatabaseSource, place: &Place) -> JobError {
    dumping::refused(connector(source, place), place).await
}

pub async fn probed(source: &DatabaseSource, place: &Place) -> Result<ProbeReport, JobError> {
    dumping::probed(connector(source, place), place).await
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
