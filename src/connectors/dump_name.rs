//! What a dump is called in an artifact: `databases/{name}.{sql|dump|json}`.

use crate::domain::{entry::EntryPath, error_code::ErrorCode, job::JobError};

/// Holds what belongs to no single database, so no database may be called that.
const RESERVED: &str = "globals";

/// The path for a database of this name. Names of databases may hold anything; what a file's name may not hold, or
/// could be taken for something else, is written as `%` and two hex digits.
///
/// # Errors
/// `source_limit` if the name is longer than any path.
pub fn dump_path(database: &str, extension: &str) -> Result<EntryPath, JobError> {
    let name = escaped(database);
    EntryPath::new(format!("databases/{name}.{extension}").as_bytes()).map_err(|invalid| {
        JobError::new(
            ErrorCode::SourceLimit,
            format!("the database {name} cannot be stored under its name: {invalid}"),
            "Give it another name.",
        )
    })
}

fn escaped(database: &str) -> String {
    let mut name = String::with_capacity(database.len());
    for (i, c) in database.chars().enumerate() {
        let plain = !c.is_control() && !matches!(c, '/' | '\\' | '%');
        let first = i == 0 && (c == '.' || c == '-' || database == RESERVED);
        if plain && !first {
            name.push(c);
        } else {
            let mut bytes = [0; 4];
            let bytes = c.encode_utf8(&mut bytes).bytes();
            name.extend(bytes.map(|byte| format!("%{byte:02X}")));
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_one_component_of_its_own() {
        for (name, path) in [
            ("shop", "databases/shop.sql"),
            ("größe 2", "databases/größe 2.sql"),
            ("../etc", "databases/%2E.%2Fetc.sql"),
            ("100%\n", "databases/100%25%0A.sql"),
            ("-rf", "databases/%2Drf.sql"),
            ("globals", "databases/%67lobals.sql"),
        ] {
            assert_eq!(dump_path(name, "sql").unwrap().as_bytes(), path.as_bytes());
        }
    }
}
