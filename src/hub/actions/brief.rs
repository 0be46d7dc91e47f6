//! Briefs: what the worker that holds a job's lease needs for it, and nothing else.

use secrecy::SecretString;
use sqlx::PgConnection;

use super::{ActionError, credentials, export_links, file_keys, job_login, jobs::NO_JOB};
use crate::{
    crypto::tokens,
    db::{age_keys, jobs, snapshots, sources, worker_tokens},
    domain::{
        brief::{Brief, BriefRequest, FileKeys, SourceBrief},
        ids::{JobId, SourceId},
        job::{Job, JobKind, JobPayload},
        server_restore::ServerRestore,
    },
    hub::Hub,
};

/// Lets only workers through.
pub async fn require_worker(hub: &Hub, token: &SecretString) -> Result<(), ActionError> {
    let hash = tokens::hash(token);
    let configured = hub.settings.worker_token.as_ref();
    if configured.is_some_and(|own| tokens::matches(&tokens::hash(own), &hash)) {
        return Ok(());
    }
    if worker_tokens::is_accepted(&mut *hub.connection().await?, &hash).await? {
        return Ok(());
    }
    Err(ActionError::Unauthenticated("the worker token is unknown or revoked"))
}

/// The brief of a job, for the worker that holds its lease. Without the lease the job does not exist.
pub async fn of_job(hub: &Hub, id: &JobId, request: &BriefRequest) -> Result<Brief, ActionError> {
    let mut conn = hub.connection().await?;
    let job = jobs::held_by(&mut conn, id, &request.worker_id, request.lease_id).await?;
    let job = job.ok_or(NO_JOB)?;
    let mut brief = Brief {
        source: None,
        target: None,
        recipients: Vec::new(),
        file_keys: None,
        export_token: None,
    };
    match job.kind {
        JobKind::Backup => {
            brief.source = Some(source(&mut conn, hub, &job, &job.source_id).await?);
            brief.recipients = age_keys::active_recipients(&mut conn, &job.tenant_id).await?;
        }
        JobKind::Probe => brief.source = Some(source(&mut conn, hub, &job, &job.source_id).await?),
        JobKind::Restore | JobKind::Verify => {
            brief.file_keys = keys(&mut conn, hub, &job).await?;
            match &job.payload {
                JobPayload::Restore { export_id, .. } => {
                    let key = hub.data_key(&mut conn, &job.tenant_id).await?;
                    brief.export_token = Some(export_links::token(&key, export_id));
                }
                JobPayload::RestoreToServer { order, .. } => {
                    brief.target = Some(target(&mut conn, hub, &job, order).await?);
                }
                _ => {}
            }
        }
        JobKind::Delete => {}
    }
    Ok(brief)
}

async fn source(conn: &mut PgConnection, hub: &Hub, job: &Job, id: &SourceId) -> Result<SourceBrief, ActionError> {
    let source = sources::get(conn, &job.tenant_id, id).await?;
    let source = source.filter(|source| source.deleted_at.is_none()).ok_or(NO_JOB)?;
    let key = hub.data_key(conn, &job.tenant_id).await?;
    let credentials = credentials::open(conn, &key, &job.tenant_id, id).await?;
    Ok(SourceBrief {
        config: source.config,
        credentials,
        identity: source.identity,
    })
}

/// The source to write to, with what was given for this job only in place of its own.
async fn target(
    conn: &mut PgConnection,
    hub: &Hub,
    job: &Job,
    order: &ServerRestore,
) -> Result<SourceBrief, ActionError> {
    let target = source(conn, hub, job, &order.target_source_id).await?;
    let key = hub.data_key(conn, &job.tenant_id).await?;
    let given = job_login::open(conn, &key, &job.tenant_id, &job.id).await?;
    Ok(SourceBrief {
        config: match &order.login {
            Some(user) => target.config.with_login(user),
            None => target.config,
        },
        credentials: job_login::over(target.credentials, &given),
        identity: target.identity,
    })
}

async fn keys(conn: &mut PgConnection, hub: &Hub, job: &Job) -> Result<Option<FileKeys>, ActionError> {
    let Some(snapshot_id) = &job.snapshot_id else {
        return Ok(None);
    };
    let snapshot = snapshots::get(conn, &job.tenant_id, snapshot_id).await?;
    let snapshot = snapshot.ok_or(NO_JOB)?;
    let headers = [&snapshot.new.backup_header[..], &snapshot.new.index_header];
    let keys = file_keys::of_headers(conn, hub, &job.tenant_id, headers).await?;
    Ok(keys.map(|[backup, index]| FileKeys {
        snapshot_id: snapshot_id.clone(),
        backup: backup.to_base64(),
        index: index.to_base64(),
    }))
}
