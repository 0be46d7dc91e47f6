//! A real database through the whole way: dumped by its own program, stored in parts, and loaded again with
//! nothing but stock tools.

use secrecy::ExposeSecret;
use sqlx::{Executor, Row};
use tokio_util::sync::CancellationToken;
use xvault::{
    connectors::{
        CaptureSink,
        program::{At, Dump, Program, Stdin},
    },
    domain::dump::Dump as Name,
};

use super::fixture::{Bench, run};
use crate::support::{dump::program, eventually::SOON, postgres::Database};

/// Rows whose dump is longer than one segment.
const ROWS: &str = "create table goods as select n, md5(n::text) || repeat(chr(128512), 10) as name, \
                    decode(md5((n * 7)::text), 'hex') as picture from generate_series(1, 150000) n";

async fn content(database: &Database) -> (i64, String) {
    let pool = database.pool().await;
    let sql = "select count(*), md5(string_agg(md5(goods::text), '' order by n)) from goods";
    let row = pool.fetch_one(sql).await.unwrap();
    pool.close().await;
    (row.get(0), row.get(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_in_parts_loads_with_stock_tools() {
    let database = Database::new().await;
    let pool = database.pool().await;
    pool.execute(ROWS).await.unwrap();
    pool.close().await;
    let before = content(&database).await;

    let dumping = Program::new(program("pg_dump").to_str().unwrap())
        .args(["--format=custom", "--compress=0", "--no-password"])
        .arg(format!("--dbname={}", database.url.expose_secret()));
    let dump = Dump {
        what: "the database shop",
        begins_with: b"PGDMP",
        last_line: None,
        least: 100,
        silence: SOON,
    };
    let path = Name::Postgres("shop".into()).path().unwrap();
    let (sink, mut items) = CaptureSink::channel();
    let capture = async move {
        let running = dumping.start(At::Worker, Stdin::Empty).await.unwrap();
        let sent = dump
            .send(running, path, &sink, &mut (), &CancellationToken::new())
            .await;
        sent.map_err(|fault| fault.into_error()).unwrap()
    };
    let pack = tokio::task::spawn_blocking(move || {
        let bench = Bench::new("real-dump");
        let written = bench.write(std::iter::from_fn(|| items.blocking_recv())).unwrap();
        (bench, written)
    });
    let (dumped, packed) = tokio::join!(capture, pack);
    let (bench, written) = packed.unwrap();
    assert_eq!(written.counts.streams, 1, "{} bytes are too few", dumped.bytes);
    assert_eq!(written.snapshot.bytes_source, dumped.bytes);

    // As `docs/format.md` has it.
    let script = "set -o pipefail; cd \"$1\" && age -d -i \"$2\" backup.tar.zst.enc | zstd -d \
                  | tar -x -O --wildcards 'databases/shop.dump.part*' > \"$3\"";
    let (place, identity, file) = (bench.snapshot(), bench.identity_file(), bench.path("shop.dump"));
    let args = [
        "-c".as_ref(),
        script.as_ref(),
        "bash".as_ref(),
        place.as_os_str(),
        identity.as_os_str(),
    ];
    run("bash", &[&args[..], &[file.as_os_str()]].concat(), b"");
    assert_eq!(std::fs::metadata(&file).unwrap().len(), dumped.bytes);
    database.restore(&file).await;
    assert_eq!(content(&database).await, before);
}
