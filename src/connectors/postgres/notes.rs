//! What the user should know of a database before trusting its dump.

use super::{
    faults::printable,
    server::{Content, Server},
    tools::Programs,
};
use crate::connectors::database::listed;

/// Most warnings of a program that are passed on.
const MAX_WARNINGS: usize = 20;

/// Known before it is dumped.
pub(super) fn before(server: &Server, programs: &Programs, content: &Content) -> Vec<String> {
    let mut notes = Vec::new();
    if programs.major != server.major {
        notes.push(format!(
            "PostgreSQL {} is dumped with the programs of version {}, as there are none of its own: pg_restore {1} or \
             later loads it, and a server older than {1} may refuse parts of it",
            server.major, programs.major
        ));
    }
    let extensions: Vec<_> = content
        .extensions
        .iter()
        .map(|extension| format!("{} {}", extension.name, extension.version))
        .collect();
    if !extensions.is_empty() {
        notes.push(format!(
            "these extensions must be installed on the server that the dump is loaded into: {}",
            listed(&extensions)
        ));
    }
    let foreign = content
        .relations
        .iter()
        .filter(|relation| relation.kind == "foreign table");
    let foreign: Vec<_> = foreign
        .map(|relation| format!("{}.{}", relation.schema, relation.name))
        .collect();
    if !foreign.is_empty() {
        notes.push(format!(
            "the rows of foreign tables are elsewhere and are not dumped: {}",
            listed(&foreign)
        ));
    }
    notes
}

/// What the program warned of while it dumped.
pub(super) fn warnings(said: &str) -> Vec<String> {
    let warnings = said.lines().filter_map(|line| line.split_once(": warning: "));
    warnings.take(MAX_WARNINGS).map(|(_, text)| printable(text)).collect()
}
