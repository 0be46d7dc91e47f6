//! Counts for monitoring, over all tenants.

use sqlx::{FromRow, PgConnection};

use super::DbError;
use crate::domain::{
    job::{JobKind, JobState},
    snapshot::SnapshotState,
};

/// Jobs of one kind in one state.
#[derive(Debug, Clone, FromRow)]
pub struct JobCount {
    /// The kind.
    pub kind: JobKind,
    /// The state.
    pub state: JobState,
    /// How many.
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

/// Snapshots in one state.
#[derive(Debug, Clone, FromRow)]
pub struct SnapshotCount {
    /// The state.
    pub state: SnapshotState,
    /// How many.
    pub snapshots: i64,
    /// Bytes they take.
    pub bytes_stored: i64,
}

/// Jobs that wait or run, by kind and state. Costs nothing for the millions that are over: both halves have
/// an index of their own.
pub async fn jobs(conn: &mut PgConnection) -> Result<Vec<JobCount>, DbError> {
    Ok(sqlx::query_as(
        "select kind, 'queued' as state, count(*) as jobs from jobs where state = 'queued' group by kind \
         union all select kind, 'running', count(*) from jobs where state = 'running' group by kind \
         order by kind, state",
    )
    .fetch_all(conn)
    .await?)
}

/// Snapshots by state, out of an index alone.
pub async fn snapshots(conn: &mut PgConnection) -> Result<Vec<SnapshotCount>, DbError> {
    Ok(sqlx::query_as(
        "select state, count(*) as snapshots, sum(bytes_stored)::bigint as bytes_stored from snapshots \
         group by state order by state",
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
