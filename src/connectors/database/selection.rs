//! Which of a server's databases are meant, and the words for what is missing.

use crate::domain::{error_code::ErrorCode, job::JobError, source::Databases};

/// Most names in one note.
const MAX_NAMES: usize = 20;

/// True if a backup of `wanted` dumps the database of this name.
pub fn is_chosen(wanted: &Databases, name: &str) -> bool {
    match wanted {
        Databases::All => true,
        Databases::Named(names) => names.iter().any(|wanted| wanted == name),
    }
}

/// The databases to dump, of those that `user` can see on `place`.
///
/// # Errors
/// `database_not_found` for one that is not there, `nothing_captured` if all are wanted and there is none.
pub fn chosen<D: Clone>(
    place: &str,
    user: &str,
    wanted: &Databases,
    found: Vec<D>,
    name_of: impl Fn(&D) -> &str,
) -> Result<Vec<D>, JobError> {
    match wanted {
        Databases::All if found.is_empty() => Err(JobError::new(
            ErrorCode::NothingCaptured,
            format!("{user} sees no database on {place}"),
            "Give the login rights on the databases to back up; testing the connection names the exact GRANTs.",
        )),
        Databases::All => Ok(found),
        Databases::Named(names) => {
            let one = |name: &String| {
                let there = found.iter().find(|database| name_of(database) == name);
                there.cloned().ok_or_else(|| {
                    JobError::new(
                        ErrorCode::DatabaseNotFound,
                        format!("{place} has no database {name:?} that {user} can see"),
                        "Correct the list of databases, or give the login rights on it.",
                    )
                })
            };
            names.iter().map(one).collect()
        }
    }
}

/// Why a backup does not begin: the login lacks what the statements in `missing` (at least one) would give it.
pub fn lacks(place: &str, user: &str, missing: &[String]) -> JobError {
    let first = missing.first().map_or("", String::as_str);
    let more = match missing.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    JobError::new(
        ErrorCode::MissingPrivilege,
        format!("{user} lacks rights on {place}; its dump would silently miss something. Needed: {first}{more}"),
        "Run the GRANTs that testing the connection lists.",
    )
}

/// Names for a note: the first ones, and how many more there are.
pub fn listed(names: &[String]) -> String {
    let shown = names[..names.len().min(MAX_NAMES)].join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
