//! Ordering a job: its row and its ticket in one transaction, the caller's.

use sqlx::PgConnection;

use super::ticket;
use crate::{
    db::{
        DbError,
        jobs::{self, NewJob},
    },
    domain::{
        ids::JobId,
        job::{Job, JobKind},
    },
};

/// Why a job was not ordered.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The source has an active backup already: this one.
    #[error("the source has an active backup already: {0}")]
    ActiveBackup(JobId),
    /// The database said no.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Orders a job. Neither row nor ticket exist unless the caller commits; on
/// [`EnqueueError::ActiveBackup`] the caller's transaction is still usable.
pub async fn enqueue(conn: &mut PgConnection, new: &NewJob) -> Result<Job, EnqueueError> {
    match order(conn, new).await {
        Err(error) if is_active_backup(new, &error) => {
            match jobs::active_backup(conn, &new.tenant_id, &new.source_id).await? {
                Some(id) => Err(EnqueueError::ActiveBackup(id)),
                // It ended before we could name it, so there is room now.
                None => Ok(order(conn, new).await?),
            }
        }
        other => Ok(other?),
    }
}

fn is_active_backup(new: &NewJob, error: &DbError) -> bool {
    new.kind == JobKind::Backup && error.constraint() == Some(jobs::ONE_ACTIVE_BACKUP)
}

/// Row and ticket inside a savepoint, so that running into an index does not end the caller's transaction.
async fn order(conn: &mut PgConnection, new: &NewJob) -> Result<Job, DbError> {
    let mut savepoint = sqlx::Connection::begin(conn).await?;
    let job = jobs::insert(&mut savepoint, new).await?;
    match new.run_at {
        Some(at) => ticket::push_at(&mut savepoint, &new.queue, at, 1).await?,
        None => ticket::push_now(&mut savepoint, &new.queue).await?,
    }
    savepoint.commit().await?;
    Ok(job)
}
