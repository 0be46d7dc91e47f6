//! Counts for monitoring, over all tenants.

use sqlx::{FromRow, PgConnection};

use super::DbError;
use crate::domain::job::{JobKind, JobState};

/// Jobs of one kind in one state.
#[derive(Debug, Clone, FromRow)]
pub struct JobCount {
    /// The kind.
    pub kind: JobKind,
    /// The state.
    pub state: JobState,
    /// How many; of finished ones, those of the last 24 hours.
    pub jobs: i64,
}

/// Due jobs of one queue.
#[derive(Debug, Clone, FromRow)]
pub struct QueueDepth {
    /// The queue.
    pub queue: String,
    /// How many wait.
    pub jobs: i64,
    /// For how long the oldest has been due, in seconds.
    pub oldest_s: f64,
}

/// Active jobs and those that ended within 24 hours, by kind and state.
pub async fn jobs(conn: &mut PgConnection) -> Result<Vec<JobCount>, DbError> {
    Ok(sqlx::query_as(
        "select kind, state, count(*) as jobs from jobs \
         where state in ('queued', 'running') or finished_at > now() - interval '24 hours' \
         group by kind, state order by kind, state",
    )
    .fetch_all(conn)
    .await?)
}

/// Queues in which jobs are due.
pub async fn queues(conn: &mut PgConnection) -> Result<Vec<QueueDepth>, DbError> {
    Ok(sqlx::query_as(
        "select queue, count(*) as jobs, extract(epoch from now() - min(run_at))::float8 as oldest_s from jobs \
         where state = 'queued' and run_at <= now() group by queue order by queue limit 1000",
    )
    .fetch_all(conn)
    .await?)
}
