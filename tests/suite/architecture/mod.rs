//! Holds the house rules: who may import whom (the table at the head of `src/lib.rs`), where SQL,
//! apalis and the clock live, how large files grow and what they are called.

mod imports;
mod source;

use std::collections::BTreeMap;

use imports::{external, mentions};
use source::{File, files};

/// Hard limit; most files stay below 250.
const LONGEST_FILE: usize = 400;

/// A thing that is hard to name is in the wrong place.
const EMPTY_NAMES: [&str; 8] = [
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "managers",
];

/// What code outside `db` and `queue` must not name of sqlx: what statements are made and read with.
/// Pools, connections, transactions and errors may be passed on.
const SQLX_STATEMENTS: [&str; 9] = [
    "AssertSqlSafe",
    "Decode",
    "Encode",
    "Executor",
    "FromRow",
    "QueryBuilder",
    "Row",
    "migrate",
    "raw_sql",
];

/// Inner borders of the hub: `(importer, forbidden)`.
const HUB_BORDERS: [(&str, &str); 3] = [
    ("hub::actions", "hub::web"),
    ("hub::scheduler", "hub::web"),
    ("hub::web::api", "hub::web::pages"),
];

#[track_caller]
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let table = table();
    let mut faults = Vec::new();
    for file in files() {
        let Some(from) = file.module.first() else { continue };
        let Some(allowed) = table.get(from) else {
            faults.push(format!("{from} is missing in the table of src/lib.rs"));
            continue;
        };
        for import in file.imports() {
            let to = &import[0];
            if to != from && table.contains_key(to) && !allowed.contains(to) {
                faults.push(format!("{}: {from} must not import {}", file.path, import.join("::")));
            }
        }
    }
    none(faults);
}

#[test]
fn the_hub_keeps_its_inner_borders() {
    let mut faults = Vec::new();
    for file in files() {
        let from = file.module.join("::");
        for import in file.imports().iter().map(|path| path.join("::")) {
            for (importer, forbidden) in HUB_BORDERS {
                if from.starts_with(importer) && import.starts_with(forbidden) {
                    faults.push(format!("{}: {importer} must not import {import}", file.path));
                }
            }
        }
    }
    none(faults);
}

#[test]
fn sql_lives_in_db_and_apalis_in_queue() {
    let mut faults = Vec::new();
    for file in files() {
        let layer = file.module.first().map_or("", String::as_str);
        for path in external(&file.tokens, &["sqlx", "apalis", "apalis_postgres", "apalis_core"]) {
            let fine = match path[0].as_str() {
                "sqlx" => {
                    let statement =
                        |name: &String| name.starts_with("query") || SQLX_STATEMENTS.contains(&name.as_str());
                    matches!(layer, "db" | "queue") || !path.iter().any(statement)
                }
                _ => layer == "queue",
            };
            if !fine {
                faults.push(format!("{}: {}", file.path, path.join("::")));
            }
        }
    }
    none(faults);
}

/// Why stands in `src/db/notices.rs`.
#[test]
fn no_statement_notifies_but_the_one_that_writes_nothing() {
    let notifies = |text: &str| text.contains("pg_notify(") || text.contains("\"notify ");
    let found = files().into_iter().filter(|file| notifies(&file.text.to_lowercase()));
    let found: Vec<_> = found.map(|file| file.path).collect();
    assert_eq!(found, ["src/db/notices.rs"]);
}

#[test]
fn only_the_clock_asks_for_the_time() {
    let mut faults = Vec::new();
    for file in files().iter().filter(|file| file.module != ["clock"]) {
        for path in mentions(&file.tokens, &["Utc", "Local", "SystemTime"]) {
            if path.get(1).is_some_and(|name| name == "now") {
                faults.push(format!("{}: {}", file.path, path.join("::")));
            }
        }
    }
    none(faults);
}

#[test]
fn files_stay_small_and_say_what_they_are_for() {
    let mut faults = Vec::new();
    for file in files() {
        let lines = file.text.lines().count();
        if lines > LONGEST_FILE {
            faults.push(format!("{}: {lines} lines, at most {LONGEST_FILE}", file.path));
        }
        if !file.text.starts_with("//! ") {
            faults.push(format!("{}: does not open with //! what it is for", file.path));
        }
        for name in &file.module {
            if EMPTY_NAMES.contains(&name.as_str()) {
                faults.push(format!("{}: {name} says nothing", file.path));
            }
        }
    }
    none(faults);
}

/// The table of `src/lib.rs`: module to what it may import.
fn table() -> BTreeMap<String, Vec<String>> {
    let library = files().into_iter().find(|file| file.path.ends_with("src/lib.rs"));
    let text = library.expect("src/lib.rs").text;
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | ["));
    let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        let mut cells = row.split('|').map(str::trim);
        let (modules, allowed) = (cells.next().unwrap_or(""), cells.next().unwrap_or(""));
        let above: Vec<String> = table.keys().cloned().collect();
        let allowed: Vec<String> = match allowed {
            "–" => Vec::new(),
            "all of the above" => above,
            "everything" => above,
            list => list.split(',').map(|name| name.trim().to_owned()).collect(),
        };
        for module in modules.split(',') {
            let name = module.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            table.insert(name.to_owned(), allowed.clone());
        }
    }
    assert!(table.len() > 10, "the table of src/lib.rs was not found");
    table
}

fn parsed(module: &[&str], text: &str) -> File {
    File {
        path: "example.rs".to_owned(),
        module: module.iter().map(|&name| name.to_owned()).collect(),
        tokens: text.parse().expect("Rust"),
        text: text.to_owned(),
    }
}

#[test]
fn paths_into_other_crates_are_found() {
    let file = parsed(&["x"], "fn f(pool: sqlx::PgPool) { chrono::Utc::now(); a.sqlx::b() }");
    assert_eq!(external(&file.tokens, &["sqlx"]), [["sqlx", "PgPool"]]);
    assert!(
        mentions(&file.tokens, &["Utc"])
            .iter()
            .any(|path| path == &["Utc", "now"])
    );
}

#[test]
fn imports_are_found_in_every_form() {
    let cases = [
        ("use crate::db::jobs;", "db::jobs"),
        ("use crate::{domain::ids, hub};", "hub"),
        ("fn f() { crate::worker::run(); }", "worker::run"),
        ("fn f() { info!(x = crate::worker::run()); }", "worker::run"),
        ("use super::super::worker::run;", "worker::run"),
        ("use super::super::{domain, worker::{self, run}};", "worker::self"),
        ("mod tests { use super::super::super::worker; }", "worker"),
        ("use super::sibling;", "hub::sibling"),
    ];
    for (text, expected) in cases {
        let found: Vec<_> = parsed(&["hub", "actions"], text).imports();
        let found: Vec<_> = found.iter().map(|path| path.join("::")).collect();
        assert!(found.iter().any(|path| path == expected), "{text}: {found:?}");
    }
}
