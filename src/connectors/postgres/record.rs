//! What stands beside a dump: what was there when it was made, for whoever restores it or proves it.

use serde::Serialize;

use super::server::{Content, Counts, Database, Extension, Relation, Server};
use crate::domain::dump_rows::DumpRows;

/// `databases/{name}.json`
#[derive(Serialize)]
struct Record<'a> {
    version: u32,
    kind: &'static str,
    server: ServerRecord<'a>,
    database: &'a str,
    encoding: &'a str,
    collation: &'a str,
    dumped_with: &'a str,
    relations: &'a [Relation],
    extensions: &'a [Extension],
    #[serde(flatten)]
    counts: &'a Counts,
    dump: &'a DumpRows,
}

#[derive(Serialize)]
struct ServerRecord<'a> {
    version: &'a str,
    major: u32,
}

/// The record of one database, as JSON.
pub(super) fn record(
    server: &Server,
    database: &Database,
    content: &Content,
    dumped_with: &str,
    dump: &DumpRows,
) -> Vec<u8> {
    let record = Record {
        version: 1,
        kind: "postgres",
        server: ServerRecord {
            version: &server.version,
            major: server.major,
        },
        database: &database.name,
        encoding: &database.encoding,
        collation: &database.collation,
        dumped_with,
        relations: &content.relations,
        extensions: &content.extensions,
        counts: &content.counts,
        dump,
    };
    // Strings and numbers always serialise.
    let mut json = serde_json::to_vec_pretty(&record).unwrap_or_default();
    json.push(b'\n');
    json
}
