//! What was dumped, against what is there after loading.

use std::collections::BTreeMap;

use crate::domain::{dump_rows::TableRows, error_code::ErrorCode, job::JobError};

/// Most differences that are told.
const MAX_TOLD: usize = 5;

/// A table after loading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loaded {
    pub(super) table: TableRows,
    /// True if it belongs to an extension, which puts rows of its own into it.
    pub(super) of_extension: bool,
}

/// Fails unless each table that was dumped is there with its rows.
///
/// # Errors
/// `restore_mismatch`, which names the first differences.
pub(super) fn same(database: &str, dumped: &[TableRows], loaded: &[Loaded]) -> Result<(), JobError> {
    let key = |table: &TableRows| (table.schema.clone(), table.name.clone());
    let there: BTreeMap<_, _> = loaded.iter().map(|loaded| (key(&loaded.table), loaded)).collect();
    let differ = |dumped: &TableRows| match there.get(&key(dumped)) {
        None => Some(format!("{} is not there, and had {} rows", dumped.title(), dumped.rows)),
        Some(loaded) if loaded.of_extension && loaded.table.rows >= dumped.rows => None,
        Some(loaded) if loaded.table.rows != dumped.rows => {
            let (title, rows) = (dumped.title(), loaded.table.rows);
            Some(format!("{title} has {rows} rows, and {} were dumped", dumped.rows))
        }
        Some(_) => None,
    };
    let differences: Vec<_> = dumped.iter().filter_map(differ).collect();
    different(database, &differences)
}

/// Fails if there are differences.
///
/// # Errors
/// `restore_mismatch`, which names the first of them.
pub(super) fn different(database: &str, differences: &[String]) -> Result<(), JobError> {
    if differences.is_empty() {
        return Ok(());
    }
    let told = differences[..differences.len().min(MAX_TOLD)].join("; ");
    let more = match differences.len().saturating_sub(MAX_TOLD) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Err(JobError::new(
        ErrorCode::RestoreMismatch,
        format!("the database {database} was loaded, and is not what was dumped: {told}{more}"),
        "Restore from another snapshot, and back up again. If a new snapshot fails like this too, report it.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(name: &str, rows: u64) -> TableRows {
        TableRows {
            schema: Some("public".into()),
            name: name.into(),
            rows,
        }
    }

    fn loaded(name: &str, count: u64, of_extension: bool) -> Loaded {
        Loaded {
            table: rows(name, count),
            of_extension,
        }
    }

    #[test]
    fn every_difference_is_found_and_the_first_are_told() {
        let dumped = [rows("a", 1), rows("b", 2), rows("own", 3)];
        let there = [
            loaded("a", 1, false),
            loaded("b", 2, false),
            loaded("own", 9, true),
            loaded("more", 1, false),
        ];
        assert_eq!(same("shop", &dumped, &there), Ok(()));
        let there = [loaded("b", 3, false), loaded("own", 2, true)];
        let error = same("shop", &dumped, &there).unwrap_err();
        assert_eq!(error.code, ErrorCode::RestoreMismatch);
        assert_eq!(
            error.message,
            "the database shop was loaded, and is not what was dumped: public.a is not there, and had 1 rows; public.b has \
             3 rows, and 2 were dumped; public.own has 2 rows, and 3 were dumped"
        );
        let many: Vec<_> = (0..9).map(|n| n.to_string()).collect();
        assert!(different("shop", &many).unwrap_err().message.ends_with("4; and 4 more"));
    }
}
