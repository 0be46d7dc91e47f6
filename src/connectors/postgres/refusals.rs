//! What a server refused of an archive because the login that loads it is no superuser.
//!
//! `pg_restore` goes on after an error and counts them at its end. Each must be found and be one of rights; a text of which
//! anything is missing proves nothing.

use super::faults::printable;

/// How a refusal for want of rights begins, in English: our own servers speak it.
const RIGHTS: [&str; 3] = ["permission denied", "must be superuser", "must be owner of extension"];

/// What was refused, one sentence each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusals(pub(super) Vec<String>);

impl Refusals {
    /// Reads what `pg_restore` said; `None` if something was refused for another reason, or not everything was said.
    pub(super) fn read(said: &str) -> Option<Self> {
        let mut refused = Vec::new();
        let mut forgiven = 0;
        let mut counted = None;
        for line in said.lines() {
            if let Some((_, why)) = line.split_once("pg_restore: error: could not execute query: ERROR:  ") {
                let lower = why.to_ascii_lowercase();
                if lower.starts_with("schema \"") && lower.ends_with("\" already exists") {
                    // Made before, for an extension in it.
                    forgiven += 1;
                    continue;
                }
                if !RIGHTS.iter().any(|mark| lower.starts_with(mark)) {
                    return None;
                }
                refused.push(printable(why));
            } else if line.starts_with("pg_restore: error: ") {
                return None;
            } else if let Some((_, count)) = line.split_once("errors ignored on restore: ") {
                counted = count.trim().parse().ok();
            }
        }
        (counted == Some(refused.len() + forgiven)).then_some(Self(refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "pg_restore: error: could not execute query: ERROR:  permission denied to create event trigger \"watch\"\n\
        HINT:  Must be superuser to create an event trigger.\n\
        Command was: CREATE EVENT TRIGGER watch ON ddl_command_start\n";

    #[test]
    fn only_rights_are_forgiven_and_only_if_everything_was_heard() {
        let read = |end: &str| Refusals::read(&format!("{SAID}{end}"));
        let watch = "permission denied to create event trigger \"watch\"";
        assert_eq!(
            read("pg_restore: warning: errors ignored on restore: 1\n"),
            Some(Refusals(vec![watch.into()]))
        );
        assert_eq!(read("pg_restore: warning: errors ignored on restore: 2\n"), None);
        assert_eq!(read(""), None);
        let other = "pg_restore: error: could not execute query: ERROR:  type \"x\" does not exist\n";
        assert_eq!(
            read(&format!("{other}pg_restore: warning: errors ignored on restore: 2\n")),
            None
        );
        assert_eq!(read("pg_restore: error: unexpected end of file\n"), None);
    }
}
