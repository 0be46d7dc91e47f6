//! From what a server or program says to what a user should know.
//!
//! During a login the server's SQLSTATE is read from its own message, and `psql` is told to print it. `pg_dump`
//! gives words only; servers may be set to other languages than English, and then the words are passed on.

use crate::domain::{error_code::ErrorCode, job::JobError};

/// Characters of a stranger's text in a message.
const MAX_WORDS: usize = 300;

/// What programs say in English, and the SQLSTATE that the server has for it.
const WORDS: &[(&str, &str)] = &[
    ("server closed the connection unexpectedly", "08006"),
    ("terminating connection due to", "57P01"),
    ("no connection to the server", "08006"),
    ("SSL SYSCALL error", "08006"),
    ("could not connect to server", "08001"),
    ("canceling statement due to lock timeout", "55P03"),
    ("no pg_hba.conf entry", "28000"),
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("too many connections", "53300"),
    ("too many clients", "53300"),
    ("the database system is starting up", "57P03"),
    ("No space left on device", "53100"),
    ("permission denied", "42501"),
    ("query would be affected by row-level security", "42501"),
    ("could not open relation", "42P01"),
    ("cache lookup failed", "42P01"),
    ("Connection refused", "08001"),
    ("could not translate host name", "08001"),
    ("timeout expired", "08001"),
];

/// The error of the job, if what a program said names a known cause.
pub(super) fn sorted(place: &str, user: &str, said: &str) -> Option<JobError> {
    let words = words(said);
    if let Some(state) = state(&words) {
        return by_state(place, user, state, &words);
    }
    // Errors that follow from the first one come after it.
    let line = said
        .lines()
        .find(|line| WORDS.iter().any(|(mark, _)| line.contains(mark)));
    let known = line.and_then(|line| WORDS.iter().find(|(mark, _)| line.contains(mark)));
    match (line, known) {
        (Some(line), Some((_, state))) => by_state(place, user, state, line),
        _ if words.contains("database \"") && words.contains("does not exist") => {
            by_state(place, user, "3D000", &words)
        }
        _ if words.contains("does not exist") => by_state(place, user, "42P01", &words),
        _ => None,
    }
}

/// The error of the job for a SQLSTATE, if it tells something.
pub(super) fn by_state(place: &str, user: &str, state: &str, words: &str) -> Option<JobError> {
    let words = printable(words);
    let (code, message, hint) = match state {
        "28P01" => (
            ErrorCode::AuthFailed,
            format!("{place} refused the password of {user}: {words}"),
            "Check login name and password.",
        ),
        "28000" => (
            ErrorCode::AuthFailed,
            format!("{place} does not let {user} in: {words}"),
            "Check that the login exists and may log in, and that pg_hba.conf has a line for it, this database and the \
             address in the message. A line that begins with hostssl needs TLS.",
        ),
        "3D000" => (
            ErrorCode::DatabaseNotFound,
            format!("{place} has no such database: {words}"),
            "Choose the databases anew.",
        ),
        "42501" => (
            ErrorCode::MissingPrivilege,
            format!("{user} lacks a right on {place}: {words}"),
            "Test the connection: the result names the exact GRANT.",
        ),
        "53100" => (
            ErrorCode::SourceFull,
            format!("the disk of {place} is full: {words}"),
            "Make room on the database server: a dump needs some for temporary files. It is tried again by itself.",
        ),
        "53300" | "57P03" => (
            ErrorCode::SourceBusy,
            format!("{place} takes no more connections for now: {words}"),
            "It is tried again by itself; max_connections or the login's limit may be too low.",
        ),
        "55P03" => (
            ErrorCode::SourceLocked,
            format!("a table on {place} stayed locked for longer than a minute: {words}"),
            "Nothing incomplete was kept. It is tried again by itself; keep schema changes and backups apart, and look \
             for forgotten transactions in pg_stat_activity.",
        ),
        "42P01" | "42703" | "42883" | "3F000" => (
            ErrorCode::SchemaChanged,
            format!("something on {place} was changed or dropped while it was dumped: {words}"),
            "Nothing incomplete was kept. It is tried again by itself; keep schema changes and backups apart.",
        ),
        "08001" => (
            ErrorCode::ConnectFailed,
            format!("{place} could not be reached: {words}"),
            "Check host and port, and that the server runs and listens on that address.",
        ),
        "08000" | "08003" | "08006" | "57P01" | "57P02" => (
            ErrorCode::TransferInterrupted,
            format!("the connection to {place} was lost: {words}"),
            "Nothing incomplete was kept. Check the server and its log; it is tried again by itself.",
        ),
        _ => return None,
    };
    Some(JobError::new(code, message, hint))
}

/// What a program said of its failure: the line that names it, not the query that follows.
pub(super) fn words(said: &str) -> String {
    let marks = ["FATAL:", "ERROR:", "error:"];
    let line = said.lines().find(|line| marks.iter().any(|mark| line.contains(mark)));
    let line = line.or_else(|| said.lines().rev().find(|line| !line.trim().is_empty()));
    printable(line.unwrap_or("it gave no reason"))
}

/// A stranger's text, fit for a message.
pub(super) fn printable(text: &str) -> String {
    text.trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_WORDS)
        .collect()
}

/// `42501` of `psql:<stdin>:2: ERROR:  42501: permission denied for table x`.
fn state(words: &str) -> Option<&str> {
    let (_, rest) = words.split_once("ERROR:").or_else(|| words.split_once("FATAL:"))?;
    let (state, _) = rest.trim_start().split_once(':')?;
    let plain = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase();
    (state.len() == 5 && state.bytes().all(plain)).then_some(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_found_in_what_programs_say() {
        for (said, code) in [
            (
                "psql:<stdin>:2: ERROR:  42501: permission denied for table x\nLOCATION:  aclcheck_error, aclchk.c:3650\n",
                Some(ErrorCode::MissingPrivilege),
            ),
            (
                "pg_dump: error: query failed: ERROR:  canceling statement due to lock timeout\n\
                 pg_dump: detail: Query was: LOCK TABLE public.a IN ACCESS SHARE MODE\n",
                Some(ErrorCode::SourceLocked),
            ),
            (
                "pg_dump: error: query failed: ERROR:  relation \"public.a\" does not exist\npg_dump: detail: Query was: x",
                Some(ErrorCode::SchemaChanged),
            ),
            (
                "psql: error: connection to server at \"127.0.0.1\", port 1 failed: FATAL:  database \"x\" does not exist\n",
                Some(ErrorCode::DatabaseNotFound),
            ),
            (
                "pg_dump: error: Dumping the contents of table \"t\" failed: PQgetCopyData() failed.\n\
                 pg_dump: detail: Error message from server: server closed the connection unexpectedly\n",
                Some(ErrorCode::TransferInterrupted),
            ),
            (
                "psql: error: connection to server at \"127.0.0.1\", port 1 failed: FATAL:  password authentication failed \
                 for user \"x\"\n",
                Some(ErrorCode::AuthFailed),
            ),
            (
                "pg_dump: error: query failed: ERROR:  could not write to file \"base/pgsql_tmp/pgsql_tmp1.0\": No space left \
                 on device\n",
                Some(ErrorCode::SourceFull),
            ),
            ("pg_dump: Fehler: kein Speicher mehr", None),
        ] {
            let sorted = sorted("db1:5432", "dump", said);
            assert_eq!(sorted.map(|error| error.code), code, "{said}");
        }
    }
}
