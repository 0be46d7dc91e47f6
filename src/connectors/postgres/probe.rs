//! Looking at a server without dumping it: who it is, what it has, which rights are missing.

use tokio_util::sync::CancellationToken;

use super::{
    access::Access,
    capture::{NO_PASSWORDS, NOT_CAPTURED},
    rights, server,
};
use crate::{
    connectors::{
        ProbeReport, ProbedDatabase,
        database::{is_chosen, listed},
    },
    domain::{job::JobError, source::Databases},
};

/// Tells `report` what a backup of `wanted` would find.
pub(super) async fn look(
    access: &Access,
    wanted: &Databases,
    report: &mut ProbeReport,
    cancel: &CancellationToken,
) -> Result<(), JobError> {
    let server = server::look(access, wanted, cancel).await?;
    access.dumpers(server.major)?;
    let databases = server::databases(access, &server, cancel).await?;
    report.server = Some(format!("PostgreSQL {}", server.version));
    report.transport = Some(access.transport());
    report.cannot_capture = NOT_CAPTURED.iter().map(|&text| text.to_owned()).collect();
    if !server.reads_passwords {
        report.cannot_capture.push(NO_PASSWORDS.to_owned());
    }
    if let Databases::Named(names) = wanted {
        let unseen = names.iter().filter(|name| databases.iter().all(|d| d.name != **name));
        report.missing_databases = unseen.cloned().collect();
    }
    for database in databases.iter().filter(|database| is_chosen(wanted, &database.name)) {
        let missing = match (database.open, wanted) {
            (true, _) => {
                let content = server::content(access, &database.name, cancel).await?;
                rights::missing(&server, database, &content, access.user())
            }
            (false, Databases::Named(_)) => vec![rights::to_connect(&database.name, access.user())],
            (false, Databases::All) => Vec::new(),
        };
        for statement in missing {
            // Some are about the whole server, and turn up with every database.
            if !report.missing_grants.contains(&statement) {
                report.missing_grants.push(statement);
            }
        }
    }
    let closed = databases.iter().filter(|database| !database.open);
    let closed: Vec<_> = closed.map(|database| database.name.clone()).collect();
    if *wanted == Databases::All && !closed.is_empty() {
        report.cannot_capture.push(left_out(&closed));
    }
    report.databases = databases
        .into_iter()
        .filter(|database| database.open || *wanted != Databases::All)
        .map(|database| ProbedDatabase {
            chosen: is_chosen(wanted, &database.name),
            name: database.name,
            bytes: database.bytes,
            tables: None,
        })
        .collect();
    Ok(())
}

/// Of "all" databases, those that the login may not connect to are not meant; managed servers have one of their own.
pub(super) fn left_out(closed: &[String]) -> String {
    format!(
        "The login may not connect to these databases, so they are left out: {}.",
        listed(closed)
    )
}
