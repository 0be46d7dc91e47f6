//! What the tests of this kind share: a database with everything in it, and captures of it.

use xvault::{
    connectors::{CaptureReport, ProbeReport, database::DatabaseSource, postgres::PostgresConnector},
    domain::job::JobError,
};

use crate::support::{
    dumping::{self, Stored},
    pg_source::PgSource,
    scratch::temp_dir,
    ssh_place::Place,
};

pub fn connector(source: &DatabaseSource, place: &Place) -> PostgresConnector {
    PostgresConnector::new(source.clone(), place.ctx.clone()).unwrap()
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

/// One of everything that a dump has to carry.
const SHOP: &str = r#"
create schema "weird ""name";
create type mood as enum ('glad', 'sad');
create domain price as numeric(10, 2) check (value > -100);
create table items (id bigint generated always as identity primary key, name text, price price, data bytea,
  made timestamptz, mood mood, doc jsonb, tags text[], total numeric generated always as (price * 2) stored);
insert into items (name, price, data, made, mood, doc, tags) values
  ('emoji 🎉 ümläut', 1.5, '\x00ff0a270d5c22', '2026-11-22 23:59:59.123456+00', 'glad', '{"k": "v ☃"}', '{a,"b c"}'),
  (E'it''s; \\ "q" -- x\n\ttab', null, null, null, null, null, null),
  ('', -0.01, decode(repeat('00', 3000), 'hex'), '-infinity', 'sad', '[]', '{}');
create table part (id int, y int) partition by range (y);
create table part_old partition of part for values from (minvalue) to (2000);
create table part_new partition of part default;
insert into part values (1, 1999), (2, 2020);
create table parent (id int primary key);
create table child (id int, parent_id int references parent (id) on delete cascade);
insert into parent values (1); insert into child values (1, 1);
create table "weird ""name"."a b" ("select" int, "Ünï" varchar(10));
insert into "weird ""name"."a b" values (1, 'x');
create view v as select id, name from items where price > 0;
create materialized view mv as select count(*) as n from items;
create sequence seq1 start 100; select nextval('seq1');
create table log (id serial, note text);
create index items_lower on items (lower(name));
create function noted() returns trigger language plpgsql as $$begin insert into log (note) values (new.name); return new; end$$;
create trigger tr after insert on items for each row execute function noted();
create procedure p(n int) language plpgsql as $$begin for i in 1..n loop insert into log (note) values ('p'); end loop; end$$;
create rule quiet as on delete to log do instead nothing;
insert into items (name) values ('triggered');
select lo_from_bytea(4711, '\x00ff00ff'); select lo_from_bytea(4712, convert_to('large 🎉', 'UTF8'));
-- Loading a dump refreshes it as well.
refresh materialized view mv;
comment on table items is 'what is sold';
"#;

/// Makes the database `name` with one of everything in it, and lets the login dump it.
pub fn shop(server: &PgSource, name: &str) {
    server.sql("postgres", &format!("create database \"{name}\""));
    server.sql(name, SHOP);
    server.sql(name, "grant select on large object 4711, 4712 to dump");
}

/// Loads an archive with the stock program into a fresh database.
pub fn load(server: &PgSource, archive: &[u8], database: &str) {
    server.sql(
        "postgres",
        &format!("drop database if exists \"{database}\"; create database \"{database}\" template template0"),
    );
    let file = temp_dir("archive");
    let path = file.path().join("x.dump");
    std::fs::write(&path, archive).unwrap();
    let mut command = server.client("pg_restore", "postgres");
    let output = command
        .arg("--exit-on-error")
        .arg(format!("--dbname={database}"))
        .arg(&path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Everything a database says about itself: definitions, and every row.
pub fn everything(server: &PgSource, database: &str) -> String {
    let output = server
        .client("pg_dump", database)
        .arg("--format=plain")
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    // A fresh key protects each dump's own commands.
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
    let rows = server.sql(
        database,
        "select * from items order by 1; select tableoid::regclass, * from part order by 2; select * from mv; \
         select last_value from seq1; select loid, data from pg_largeobject order by 1; select note from log order by id;",
    );
    lines.collect::<Vec<_>>().join("\n") + &rows
}

/// Fails with the first line that differs.
pub fn assert_same(before: &str, after: &str) {
    for (before, after) in before.lines().zip(after.lines()) {
        assert_eq!(before, after);
    }
    assert_eq!(before.lines().count(), after.lines().count());
}
