//! A 5 GiB PostgreSQL and a 2 GiB MariaDB database, against their dump programs piped through
//! `zstd -3 -T2 | age -r …`; and whether the worker's memory depends on their size.

use std::{fs, time::Duration};

use crate::{
    Scale,
    peers::{age_recipient, timed},
    product::Product,
    report::{Report, median},
    support::{mariadb, mariadb::MariaDb, pg_source, pg_source::PgSource, scratch::temp_dir},
};

const POSTGRES: u64 = 5 << 30;
const MARIADB: u64 = 2 << 30;
const ROUNDS: usize = 3;
/// Time of xVault over time of the pipe, at most.
const SLOWER: f64 = 1.05;
/// What the small database has of the large one, for memory.
const SMALL: u64 = 20;
/// Peak memory with the large database over that with the small one, at most.
const SPREAD: f64 = 1.2;

/// Bytes that a row has in a dump, about.
const ROW: u64 = 640;
/// Rows of one statement.
const BATCH: usize = 100_000;
const TABLES: [&str; 2] = ["orders", "events"];

/// A database server with `large` and `small`, and how people dump it.
struct Subject<'a> {
    kind: &'a str,
    what: &'a str,
    port: u16,
    password: &'a str,
    /// The shell command that dumps `large`, to its standard output.
    dump: String,
}

pub async fn measure(scale: &Scale, report: &mut Report) {
    postgres(scale, report).await;
    mariadb(scale, report).await;
}

async fn postgres(scale: &Scale, report: &mut Report) {
    eprintln!("databases: postgres");
    let server = PgSource::start();
    for (database, rows) in sizes(scale.of(POSTGRES)) {
        server.sql("postgres", &format!("create database {database}"));
        for table in TABLES {
            let columns = "id bigint primary key, at timestamptz, word text, note text, noise text";
            server.sql(database, &format!("create table {table} ({columns})"));
            for (first, last) in batches(rows) {
                let insert = format!(
                    "insert into {table} select i, timestamptz 'epoch' + i * interval '1 s', 'order ' || i % 977, \
                     repeat('shipped to customer ' || i % 7919 || '; ', 12), \
                     md5(i::text) || md5((i * 31)::text) || md5((i * 37)::text) \
                     from generate_series({first}, {last}) i"
                );
                server.sql(database, &insert);
            }
        }
        server.sql(database, "vacuum analyze; checkpoint");
    }
    let subject = Subject {
        kind: "postgres",
        what: "5 GiB PostgreSQL, pg_dump -Fc -Z0, zstd -3 -T2, age",
        port: server.port,
        password: pg_source::PASSWORD,
        dump: format!("pg_dump -Fc -Z0 -h 127.0.0.1 -p {} -U dump large", server.port),
    };
    compare(&subject, report).await;
}

async fn mariadb(scale: &Scale, report: &mut Report) {
    eprintln!("databases: mariadb");
    let server = MariaDb::start();
    for (database, rows) in sizes(scale.of(MARIADB)) {
        server.sql(&format!("create database {database}"));
        server.grant(database);
        for table in TABLES {
            let columns = "id bigint primary key, at datetime, word text, note text, noise text";
            server.sql_in(database, &format!("create table {table} ({columns})"));
            for (first, last) in batches(rows) {
                let insert = format!(
                    "insert into {table} select seq, '2000-01-01' + interval seq second, concat('order ', seq % 977), \
                     repeat(concat('shipped to customer ', seq % 7919, '; '), 12), \
                     concat(md5(seq), md5(seq * 31), md5(seq * 37)) from seq_{first}_to_{last}"
                );
                server.sql_in(database, &insert);
            }
        }
    }
    let options = "--single-transaction --quick --routines --triggers --events --hex-blob";
    let subject = Subject {
        kind: "mysql",
        what: "2 GiB MariaDB, mariadb-dump --single-transaction, zstd -3 -T2, age",
        port: server.port,
        password: mariadb::PASSWORD,
        dump: format!(
            "mariadb-dump --no-defaults {options} -h 127.0.0.1 -P {} -u dump large",
            server.port
        ),
    };
    compare(&subject, report).await;
}

/// The databases, and how many rows each of their tables has.
fn sizes(bytes: u64) -> [(&'static str, u64); 2] {
    let rows = bytes / ROW / TABLES.len() as u64;
    [("large", rows), ("small", rows / SMALL)]
}

/// First and last row of each statement that fills a table.
fn batches(rows: u64) -> impl Iterator<Item = (u64, u64)> {
    let firsts = (0..rows).step_by(BATCH);
    firsts.map(move |first| (first, (first + BATCH as u64).min(rows) - 1))
}

async fn compare(subject: &Subject<'_>, report: &mut Report) {
    let directory = temp_dir("bench");
    let (recipient, file) = (age_recipient(), directory.path().join("peer.age"));
    let password = directory.path().join("password");
    fs::write(&password, subject.password).expect("a file");
    let pipe = format!(
        "export PGPASSWORD=\"$(cat {0})\" MYSQL_PWD=\"$(cat {0})\"; {1} | zstd -q -3 -T2 | age -r {recipient} > {2}",
        password.display(),
        subject.dump,
        file.display()
    );
    // Once for the page cache, which both sides then read from.
    timed(&pipe);
    let (_, small) = back_up(subject, "small", 1).await;
    let mut peer = Vec::new();
    for _ in 0..ROUNDS {
        peer.push(timed(&pipe));
    }
    let (ours, large) = back_up(subject, "large", ROUNDS).await;
    let (peer, ours) = (median(peer).as_secs_f64(), median(ours).as_secs_f64());
    report.note(subject.what, format!("{peer:.2} s"));
    report.note("the same, xVault, from request to snapshot", format!("{ours:.2} s"));
    report.at_most("time of xVault over time of the pipe", ours / peer, SLOWER);
    report.at_most(
        "memory with this database over memory with a small one",
        large / small,
        SPREAD,
    );
}

/// Times of so many backups of a database, and the worker's peak memory in MiB.
async fn back_up(subject: &Subject<'_>, database: &str, rounds: usize) -> (Vec<Duration>, f64) {
    let product = Product::start().await;
    let source = product
        .database_source(subject.kind, subject.port, subject.password, database)
        .await;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let (job, taken) = product.backup(&source).await;
        times.push(taken);
        fs::remove_dir_all(product.artifact(&job).await).expect("our own artifact");
    }
    (times, product.worker_peak_mib())
}
