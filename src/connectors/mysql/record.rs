//! What stands beside a dump: what was there when it was made, for whoever restores it or proves it.

use serde::Serialize;

use super::server::{Content, Database, Server, Table};
use crate::domain::dump_rows::DumpRows;

/// `databases/{name}.json`
#[derive(Serialize)]
struct Record<'a> {
    version: u32,
    kind: &'static str,
    server: ServerRecord<'a>,
    database: &'a str,
    character_set: &'a str,
    collation: &'a str,
    dumped_with: &'a str,
    tables: &'a [Table],
    routines: u64,
    events: u64,
    triggers: u64,
    dump: &'a DumpRows,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_dumped: Vec<NotDumped<'a>>,
}

#[derive(Serialize)]
struct ServerRecord<'a> {
    flavour: &'static str,
    version: &'a str,
}

#[derive(Serialize)]
struct NotDumped<'a> {
    view: &'a str,
    definition: &'a str,
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
        kind: "mysql",
        server: ServerRecord {
            flavour: server.flavour.name(),
            version: &server.version,
        },
        database: &database.name,
        character_set: &database.character_set,
        collation: &database.collation,
        dumped_with,
        tables: &content.tables,
        routines: content.routines,
        events: content.events,
        triggers: content.triggers,
        dump,
        not_dumped: content
            .broken_views
            .iter()
            .map(|(view, definition)| NotDumped { view, definition })
            .collect(),
    };
    // Strings and numbers always serialise.
    let mut json = serde_json::to_vec_pretty(&record).unwrap_or_default();
    json.push(b'\n');
    json
}
