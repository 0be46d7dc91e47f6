//! Restores to a server: the source that a snapshot came from, or another one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use sqlx::PgConnection;

use super::{
    ActionError, Actor, JobLogin, audit, credentials, file_keys, job_login,
    jobs::{NO_JOB, order},
    restores::checked_paths,
    snapshots::find_kept,
    sources::lock_present,
};
use crate::{
    db::{
        jobs,
        sources::{self, Source},
    },
    domain::{
        field_error::FieldError,
        ids::{JobId, SnapshotId, SourceId},
        job::JobState,
        server_restore::{Existing, MAX_DATABASE_NAME, ServerRestore},
        snapshot::Snapshot,
        source::{Credentials, Proof, SourceKind},
        user::Role,
    },
    hub::{Hub, views::JobView},
    queue::orders,
};

/// Longest directory to restore into, in bytes.
const MAX_INTO: usize = 4096;

/// Most new names of databases in one order.
const MAX_NAMES: usize = 1000;

/// What to restore to a server, and how.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewServerRestore {
    /// The source to write to. Another server is added as a source first.
    pub target_source_id: SourceId,
    /// Chosen paths as the file browser shows them, directories with everything below; all if absent.
    #[serde(default)]
    pub paths: Option<Vec<String>>,
    /// An absolute directory below which everything goes; where it was if absent.
    #[serde(default)]
    pub into: Option<String>,
    /// What to do with files that are there already.
    #[serde(default)]
    pub existing: Existing,
    /// Of databases: what they are to be called, by what they were called. Others get a new name made of that and the
    /// time. A database that exists is never loaded into.
    #[serde(default)]
    pub databases: BTreeMap<String, String>,
    /// Restore owners too; only where the login is root.
    #[serde(default)]
    pub owners: bool,
    /// Another login for this job only, one that may write for example. Kept sealed until the job ends.
    #[serde(default)]
    pub credentials: Option<JobLogin>,
    /// Change nothing, and find out what would be done.
    pub dry_run: bool,
    /// The name of the target source. Needed unless it is a dry run.
    #[serde(default)]
    pub confirm: Option<String>,
}

/// Orders a restore to a server, or a dry run of one.
pub async fn order_of_snapshot(
    hub: &Hub,
    actor: &Actor,
    id: &SnapshotId,
    new: NewServerRestore,
) -> Result<JobView, ActionError> {
    let suffix = hub.clock.now().format("_restored_%Y%m%d_%H%M").to_string();
    ordered(hub, actor, id, new, suffix).await
}

/// Orders the restore that a dry run has shown. The login that was given for the dry run is gone with it, so it is given
/// again.
pub async fn order_of_dry_run(
    hub: &Hub,
    actor: &Actor,
    id: &JobId,
    confirm: String,
    login: JobLogin,
) -> Result<JobView, ActionError> {
    actor.require(Role::Operator)?;
    let job = jobs::get(&mut *hub.connection().await?, &actor.tenant_id, id).await?;
    let job = job.ok_or(NO_JOB)?;
    let shown = job.server_restore().filter(|order| order.dry_run);
    let shown = shown.zip(job.snapshot_id.as_ref());
    let Some((shown, snapshot)) = shown.filter(|_| job.state == JobState::Succeeded) else {
        return Err(ActionError::Conflict("this job is no dry run that succeeded".into()));
    };
    let new = NewServerRestore {
        target_source_id: shown.target_source_id.clone(),
        paths: Some(shown.paths.clone()).filter(|paths| !paths.is_empty()),
        into: shown.into.clone(),
        existing: shown.existing,
        databases: shown.databases.clone(),
        owners: shown.owners,
        credentials: Some(JobLogin {
            user: shown.login.clone(),
            ..login
        }),
        dry_run: false,
        confirm: Some(confirm),
    };
    ordered(hub, actor, snapshot, new, shown.suffix.clone()).await
}

async fn ordered(
    hub: &Hub,
    actor: &Actor,
    id: &SnapshotId,
    new: NewServerRestore,
    suffix: String,
) -> Result<JobView, ActionError> {
    actor.require(Role::Operator)?;
    let mut tx = hub.begin().await?;
    let snapshot = find_kept(&mut tx, actor, id).await?;
    let target = lock_present(&mut tx, actor, &new.target_source_id).await?;
    let key = hub.data_key(&mut tx, &actor.tenant_id).await?;
    let given = new.credentials.as_ref().map(JobLogin::credentials).unwrap_or_default();
    let stored = credentials::open(&mut tx, &key, &actor.tenant_id, &target.id).await?;

    let held = sources::get(&mut tx, &actor.tenant_id, &snapshot.new.key.source_id).await?;
    let mut faults = target_faults(held.as_ref(), &target);
    faults.extend(request_faults(&new, &target));
    faults.extend(login_faults(&new, &target, job_login::over(stored, &given)));
    ActionError::unless_valid(faults)?;
    require_key(&mut tx, hub, actor, &snapshot).await?;

    let restore = ServerRestore {
        paths: checked_paths(new.paths)?,
        target_source_id: target.id.clone(),
        into: new.into,
        existing: new.existing,
        owners: new.owners,
        databases: new.databases,
        suffix,
        login: new.credentials.and_then(|login| login.user),
        dry_run: new.dry_run,
    };
    let deed = match restore.dry_run {
        true => "snapshot.restore_to_source.dry_run",
        false => "snapshot.restore_to_source",
    };
    let what = format!("{id} to {}", target.id);
    let job = order(&mut tx, hub, actor, orders::restore_to_server(&snapshot, restore)).await?;
    job_login::store(&mut tx, &key, &actor.tenant_id, &job.id, &given).await?;
    audit::record(&mut tx, actor, deed, Some(&what)).await?;
    hub.commit(tx).await?;
    Ok(job)
}

/// True if what a source of kind `from` holds can be restored to a source of kind `to`.
pub fn fits(from: SourceKind, to: SourceKind) -> bool {
    let files = |kind| matches!(kind, SourceKind::Ssh | SourceKind::Sftp | SourceKind::Ftp);
    match to {
        SourceKind::Ssh | SourceKind::Sftp | SourceKind::Ftp => files(from),
        // Of a site its database; its files are for downloads.
        SourceKind::Mysql => matches!(from, SourceKind::Mysql | SourceKind::Wordpress),
        SourceKind::Postgres => from == to,
        SourceKind::Wordpress => false,
    }
}

/// Why this source cannot be written to.
fn target_faults(from: Option<&Source>, target: &Source) -> Vec<FieldError> {
    const POINTER: &str = "/target_source_id";
    let kind = target.config.kind();
    let mut faults = Vec::new();
    if !from.is_some_and(|from| fits(from.config.kind(), kind)) {
        let from = from.map_or("unknown", |from| from.config.kind().as_str());
        let fault = format!(
            "is of kind {}, which cannot take what a source of kind {from} holds",
            kind.as_str()
        );
        faults.push(FieldError::new(POINTER, fault));
    }
    let unproven = target.config.proof() == Proof::HostKey && target.identity.target.is_none();
    let unproven_jump = target.config.jump().is_some() && target.identity.jump.is_none();
    if unproven || unproven_jump {
        let fault = "has an identity that nobody has approved yet; check the source and approve its fingerprint first";
        faults.push(FieldError::new(POINTER, fault));
    }
    faults
}

fn request_faults(new: &NewServerRestore, target: &Source) -> Vec<FieldError> {
    let mut faults = Vec::new();
    if let Some(into) = &new.into {
        faults.extend(into_fault(into).map(|fault| FieldError::new("/into", fault)));
    }
    if !new.dry_run && new.confirm.as_deref() != Some(target.name.as_str()) {
        faults.push(FieldError::new(
            "/confirm",
            "must be the exact name of the source that is written to",
        ));
    }
    let of_databases = matches!(target.config.kind(), SourceKind::Mysql | SourceKind::Postgres);
    if of_databases && (new.into.is_some() || new.owners) {
        let field = if new.owners { "/owners" } else { "/into" };
        faults.push(FieldError::new(field, "is for files; this target is a database server"));
    }
    if !of_databases && !new.databases.is_empty() {
        faults.push(FieldError::new(
            "/databases",
            "is for database servers; this target takes files",
        ));
    }
    faults.extend(database_faults(&new.databases));
    let login = new.credentials.as_ref().and_then(|login| login.user.as_deref());
    if new.owners && login.unwrap_or(target.config.login()) != "root" {
        faults.push(FieldError::new("/owners", "can be restored only by the login root"));
    }
    faults
}

/// Why databases cannot be called like that.
fn database_faults(names: &BTreeMap<String, String>) -> Vec<FieldError> {
    if names.len() > MAX_NAMES {
        return vec![FieldError::new("/databases", format!("at most {MAX_NAMES} names"))];
    }
    let mut seen = BTreeSet::new();
    let fault = |(old, new): (&String, &String)| {
        let fault = if new.is_empty() {
            "is empty"
        } else if new.len() > MAX_DATABASE_NAME {
            "is longer than 63 bytes"
        } else if new.contains(char::is_control) {
            "has a control character"
        } else if !seen.insert(new.clone()) {
            "is the name of another one, too"
        } else {
            return None;
        };
        let old = old.replace('~', "~0").replace('/', "~1");
        Some(FieldError::new(format!("/databases/{old}"), fault))
    };
    names.iter().filter_map(fault).collect()
}

fn into_fault(into: &str) -> Option<&'static str> {
    if !into.starts_with('/') {
        Some("must be an absolute path: it begins with a slash")
    } else if into.split('/').any(|part| part == "..") {
        Some("has a `..` component")
    } else if into.len() > MAX_INTO {
        Some("is longer than 4096 bytes")
    } else if into.contains('\0') {
        Some("has a NUL character")
    } else {
        None
    }
}

/// Faults of the login that the job would use.
fn login_faults(new: &NewServerRestore, target: &Source, credentials: Credentials) -> Vec<FieldError> {
    let config = match new.credentials.as_ref().and_then(|login| login.user.as_ref()) {
        Some(user) => target.config.clone().with_login(user),
        None => target.config.clone(),
    };
    let mut faults = config.validate(&credentials);
    for fault in &mut faults {
        if fault.pointer == "/config/user" {
            "/credentials/user".clone_into(&mut fault.pointer);
        }
    }
    faults
}

/// Refuses what xVault cannot decrypt.
async fn require_key(
    conn: &mut PgConnection,
    hub: &Hub,
    actor: &Actor,
    snapshot: &Snapshot,
) -> Result<(), ActionError> {
    let headers = [&snapshot.new.backup_header[..], &snapshot.new.index_header];
    match file_keys::of_headers(conn, hub, &actor.tenant_id, headers).await? {
        Some(_) => Ok(()),
        None => Err(ActionError::Conflict(
            "your organisation keeps the key of this snapshot itself, so xVault cannot open it to write it to a \
             server; copy the snapshot's directory and open it with `xvault artifact extract` and your own key"
                .into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_to_restore_into_are_absolute_and_stay_where_they_are() {
        for fine in ["/", "/restore", "/srv//x/./y", "/..."] {
            assert_eq!(into_fault(fine), None, "{fine}");
        }
        for bad in [
            "",
            "restore",
            "./x",
            "/srv/../etc",
            "/..",
            &format!("/{}", "x".repeat(5000)),
        ] {
            assert!(into_fault(bad).is_some(), "{bad}");
        }
    }
}
