//! Looking at a server without dumping it: who it is, what it has, which rights are missing.

use tokio_util::sync::CancellationToken;

use super::{access::Access, capture::NOT_CAPTURED, server};
use crate::{
    connectors::{ProbeReport, ProbedDatabase, database::is_chosen},
    domain::{job::JobError, source::Databases},
};

/// Tells `report` what a backup of `wanted` would find.
pub(super) async fn look(
    access: &Access,
    wanted: &Databases,
    report: &mut ProbeReport,
    cancel: &CancellationToken,
) -> Result<(), JobError> {
    let server = server::look(access, cancel).await?;
    let databases = server::databases(access, cancel).await?;
    let names = databases.iter().map(|database| database.name.as_str());
    report.missing_grants = server.missing_grants(names.filter(|name| is_chosen(wanted, name)));
    if let Databases::Named(names) = wanted {
        // What cannot be seen may be there all the same, without a right on it.
        let unseen = names.iter().filter(|name| databases.iter().all(|d| d.name != **name));
        let unseen: Vec<_> = unseen.map(String::as_str).collect();
        report.missing_databases = unseen.iter().map(|&name| name.to_owned()).collect();
        report.missing_grants.extend(server.missing_grants(unseen.into_iter()));
        report.missing_grants.dedup();
    }
    report.server = Some(format!("{} {}", server.flavour.name(), server.version));
    report.transport = Some(access.transport());
    report.cannot_capture = NOT_CAPTURED.iter().map(|&text| text.to_owned()).collect();
    report.databases = databases
        .into_iter()
        .map(|database| ProbedDatabase {
            chosen: is_chosen(wanted, &database.name),
            name: database.name,
            bytes: database.bytes,
            tables: Some(database.tables),
        })
        .collect();
    Ok(())
}
