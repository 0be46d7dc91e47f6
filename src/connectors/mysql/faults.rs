//! From what a client program says to what a user should know. The numbers are MySQL's own and stable.

use super::access::Access;
use crate::{
    connectors::local::said::last_words,
    domain::{error_code::ErrorCode, job::JobError},
};

/// The error of the job, if the program's last words name a known cause.
pub(super) fn sorted(access: &Access, said: &str) -> Option<JobError> {
    let (place, user, words) = (access.place(), access.user(), last_words(said));
    let number = error_number(said)?;
    let (code, message, hint) = match number {
        _ if said.contains("insecure transport") => (
            ErrorCode::TlsRequired,
            format!("{place} accepts encrypted connections only{words}"),
            "Choose TLS for this source.",
        ),
        1045 | 1698 => (
            ErrorCode::AuthFailed,
            format!("{place} refused the password of {user}{words}"),
            "Check login name and password, and that the account may come from there: the message names the address the \
             server sees. An account that requires TLS is refused like this without it.",
        ),
        1129 | 1130 => (
            ErrorCode::AuthFailed,
            format!("{place} takes no connections from there{words}"),
            "Allow the account to come from the address that the message names; blocked hosts need FLUSH HOSTS.",
        ),
        1820 | 1862 => (
            ErrorCode::AuthFailed,
            format!("the password of {user} on {place} has expired{words}"),
            "Set a new password on the server, then here.",
        ),
        1251 | 1524 | 2059 => (
            ErrorCode::ProtocolError,
            format!("{user} on {place} signs in with a method that the client program does not know{words}"),
            "Give the account another method (mysql_native_password, ed25519, caching_sha2_password).",
        ),
        1040 | 1203 | 1226 => (
            ErrorCode::SourceBusy,
            format!("{place} has too many connections{words}"),
            "It is tried again by itself; max_connections or the account's limits may be too low.",
        ),
        1044 | 1142 | 1143 | 1227 | 1370 => (
            ErrorCode::MissingPrivilege,
            format!("{user} lacks a right on {place}{words}"),
            "Test the connection: the result names the exact GRANT.",
        ),
        1021 | 1114 => (
            ErrorCode::SourceFull,
            format!("the disk of {place} is full{words}"),
            "Make room on the database server: a dump needs some for temporary tables (tmpdir). It is tried again by itself.",
        ),
        1049 => (
            ErrorCode::DatabaseNotFound,
            format!("{place} has no such database{words}"),
            "Choose the databases anew.",
        ),
        1412 | 1146 | 1305 | 1360 | 1539 => (
            ErrorCode::SchemaChanged,
            format!("a table on {place} was changed or dropped while it was dumped{words}"),
            "Nothing incomplete was kept. It is tried again by itself; keep schema changes and backups apart.",
        ),
        1053 | 1077 | 1152 | 1158..=1161 | 1184 | 1317 | 1927 | 2002 | 2003 | 2005 | 2006 | 2012 | 2013 | 2055 => (
            ErrorCode::TransferInterrupted,
            format!("the connection to {place} was lost{words}"),
            "Nothing incomplete was kept. Check the server and its log; it is tried again by itself.",
        ),
        _ => return None,
    };
    Some(JobError::new(code, message, hint))
}

/// `1045` of `ERROR 1045 (28000): …`, `Got error: 1045: …`, `Error 1412: …` or `… (1356)`.
fn error_number(said: &str) -> Option<u32> {
    said.lines().rev().find_map(|line| {
        let named = ["ERROR ", "error: ", "Error "].iter().find_map(|mark| {
            let (_, rest) = line.split_once(mark)?;
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        });
        named.or_else(|| {
            let line = line.trim_end().strip_suffix(')')?;
            line.rsplit_once('(')?.1.parse().ok()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_every_form() {
        for (said, number) in [
            (
                "ERROR 1045 (28000): Access denied for user 'x'@'y' (using password: YES)\n",
                Some(1045),
            ),
            (
                "mariadb-dump: Got error: 1045: \"Access denied\" when trying to connect",
                Some(1045),
            ),
            ("ERROR 1049 (42000) at line 2: Unknown database 'x'", Some(1049)),
            (
                "mariadb-dump: Error 1412: Table definition has changed, please retry transaction when dumping table `x` \
                 at row: 0",
                Some(1412),
            ),
            (
                "mariadb-dump: Couldn't execute 'SHOW FIELDS FROM `b`': View 's.b' references invalid table(s) (1356)",
                Some(1356),
            ),
            ("warning: something\nsegmentation fault", None),
        ] {
            assert_eq!(error_number(said), number, "{said}");
        }
    }
}
