//! What goes wrong with a site, in words for its owner.

use super::php::Why;
use crate::{
    connectors::ssh::session::SshSession,
    domain::{error_code::ErrorCode, job::JobError},
};

/// There is no configuration where WordPress looks for one.
pub(super) fn no_config(place: &str, root: &str) -> JobError {
    JobError::new(
        ErrorCode::ConfigNotFound,
        format!("no wp-config.php belongs to {root} on {place}"),
        "Name the site's document root: the directory with wp-config.php, or with wp-load.php and the configuration one \
         level up. Checking the connection lists the sites that it finds.",
    )
}

/// Something in the configuration has no certain value.
pub(super) fn unresolved(place: &str, config: &str, name: &str, why: &Why) -> JobError {
    let hint = match why {
        Why::Environment(_) => {
            "Set the variable for this login too (a .env file, ~/.ssh/environment), or write the value into the \
             configuration. It is not guessed."
        }
        Why::Unreadable(_) => "Let the login read that file too, or use the account that the site belongs to.",
        Why::Code(_) => {
            "Write the value into the configuration as a plain define, or install php on the server's command line: it \
             is asked where there is one."
        }
    };
    JobError::new(
        ErrorCode::ConfigUnresolved,
        format!("{config} on {place} leaves {name} open: it depends on {why}"),
        hint,
    )
}

/// The configuration lacks something, or has it in a form that WordPress itself would refuse.
pub(super) fn unusable(place: &str, config: &str, what: &str) -> JobError {
    JobError::new(
        ErrorCode::ConfigUnresolved,
        format!("{config} on {place} {what}"),
        "Check that the site works, and that this is its configuration.",
    )
}

/// The login runs no commands.
pub(super) fn no_shell(place: &str) -> JobError {
    JobError::new(
        ErrorCode::ShellRequired,
        format!("the login on {place} runs no commands, which finding and dumping a site's database takes"),
        "Use a login with a shell; or back up the files with the kind sftp and the database with the kind mysql.",
    )
}

/// Errors of the database, told apart from those of the SSH login.
pub(super) fn of_database(error: JobError, session: &str, user: &str) -> JobError {
    match error.code {
        ErrorCode::AuthFailed => JobError::new(
            ErrorCode::DatabaseRefused,
            format!(
                "the database refuses {user}, the login that wp-config.php names: {}",
                error.message
            ),
            "Check that the site itself works; a config that was changed and a database that was moved are the usual causes.",
        ),
        // Only what is forwarded can fail like this. That a socket may not be forwarded looks like one that is not there.
        ErrorCode::ForwardingForbidden | ErrorCode::ConnectFailed => {
            let told = JobError::new(
                ErrorCode::DatabaseUnreachable,
                format!("{session} has no mariadb or mysql client, and {}", error.message),
                "Install mariadb-client there, or allow forwarding for this login in its sshd_config (AllowTcpForwarding, \
                 AllowStreamLocalForwarding, PermitOpen); and check that the database runs.",
            );
            match error.code {
                ErrorCode::ConnectFailed => told.transient(),
                _ => told,
            }
        }
        ErrorCode::TlsRequired => JobError::new(
            ErrorCode::DatabaseUnreachable,
            error.message,
            "Databases that accept encrypted connections only are not read through wp-config.php yet: add it as a source of \
             its own, of kind mysql over this SSH host.",
        ),
        _ => error,
    }
}

/// The database is there, the site's tables are not.
pub(super) fn no_tables(place: &str, database: &str, table: &str) -> JobError {
    JobError::new(
        ErrorCode::TablesNotFound,
        format!("the database {database} on {place} has no table {table}"),
        "Check DB_NAME and $table_prefix in wp-config.php, and that WordPress is installed.",
    )
}

/// `localhost` means a socket that is not to be found, or one of several.
pub(super) fn no_socket(session: &SshSession, found: &[String]) -> JobError {
    let place = session.place();
    let message = match found {
        [] => format!("DB_HOST is localhost, and {place} has no MySQL socket at any of the usual places"),
        found => format!(
            "DB_HOST is localhost, and {place} has several MySQL sockets: {}",
            found.join(", ")
        ),
    };
    JobError::new(
        ErrorCode::ConfigUnresolved,
        message,
        "Name the socket in DB_HOST (localhost:/path/to/mysqld.sock), or install php on the server's command line: it \
         knows its own.",
    )
}
