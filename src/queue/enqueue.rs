//! Ordering a job: its row and its ticket in one transaction, the caller's.

use sqlx::PgConnection;

use super::ticket;
use crate::{
    db::{
        DbError,
        jobs::{self, NewJob},
    },
    domain::{ids::JobId, job::Job},
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
    loop {
        if let Some(job) = jobs::insert(conn, new).await? {
            match new.run_at {
                Some(at) => ticket::push_at(conn, &new.queue, at, 1).await?,
                None => ticket::push_now(conn, &new.queue).await?,
            }
            return Ok(job);
        }
        if let Some(active) = jobs::active_backup(conn, &new.tenant_id, &new.source_id).await? {
            return Err(EnqueueError::ActiveBackup(active));
        }
        // It ended before we could name it, so there is room now.
    }
}
