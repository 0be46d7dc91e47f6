//! How a row becomes a [`Job`].

use sqlx::{FromRow, Row, postgres::PgRow, types::Json};

use crate::{
    db::unsigned::unsigned,
    domain::job::{Job, JobError, Progress},
};

/// The columns [`Job`] is made of; the table must go by the name `j`.
macro_rules! columns {
    () => {
        "j.id, j.tenant_id, j.kind, j.state, j.queue, j.source_id, j.snapshot_id, j.payload, j.attempt, \
         j.max_attempts, j.deferrals, j.run_at, j.worker_id, j.cancel_requested_at is not null as cancel_requested, j.phase, \
         j.progress_bytes, j.progress_files, j.progress_total_bytes, j.error_code, j.error_message, j.error_hint, \
         j.warnings, j.result, j.created_at, j.started_at, j.finished_at"
    };
}
pub(super) use columns;

impl FromRow<'_, PgRow> for Job {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let error = match row.try_get("error_code")? {
            None => None,
            Some(code) => {
                let message: String = row.try_get("error_message")?;
                let hint: Option<String> = row.try_get("error_hint")?;
                Some(JobError::new(code, message, hint.unwrap_or_default()))
            }
        };
        Ok(Job {
            id: row.try_get("id")?,
            tenant_id: row.try_get("tenant_id")?,
            kind: row.try_get("kind")?,
            state: row.try_get("state")?,
            queue: row.try_get("queue")?,
            source_id: row.try_get("source_id")?,
            snapshot_id: row.try_get("snapshot_id")?,
            payload: row.try_get::<Json<_>, _>("payload")?.0,
            attempt: row.try_get("attempt")?,
            max_attempts: row.try_get("max_attempts")?,
            deferrals: row.try_get("deferrals")?,
            run_at: row.try_get("run_at")?,
            worker_id: row.try_get("worker_id")?,
            cancel_requested: row.try_get("cancel_requested")?,
            phase: row.try_get("phase")?,
            progress: Progress::from_row(row)?,
            error,
            warnings: row.try_get::<Json<_>, _>("warnings")?.0,
            result: row.try_get("result")?,
            created_at: row.try_get("created_at")?,
            started_at: row.try_get("started_at")?,
            finished_at: row.try_get("finished_at")?,
        })
    }
}

impl FromRow<'_, PgRow> for Progress {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            bytes: unsigned(row, "progress_bytes")?,
            files: unsigned(row, "progress_files")?,
            total_bytes: row
                .try_get::<Option<i64>, _>("progress_total_bytes")?
                .map(i64::unsigned_abs),
        })
    }
}
