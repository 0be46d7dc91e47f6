//! Jobs that go back to the queue: each transition of `db::jobs` together with the ticket it owes.

use std::time::Duration;

use sqlx::PgConnection;

use super::ticket;
use crate::{
    db::{
        DbError,
        jobs::{self, AfterFailure, Lease, Reaped, Retry},
    },
    domain::job::JobError,
};

/// Ends an attempt that failed; see [`jobs::fail`].
pub async fn fail(
    conn: &mut PgConnection,
    lease: &Lease,
    error: &JobError,
    retry: &Retry,
) -> Result<AfterFailure, DbError> {
    let after = jobs::fail(conn, lease, error, retry).await?;
    if let AfterFailure::Retry { queue, run_at } = &after {
        ticket::push_at(conn, queue, *run_at, 1).await?;
    }
    Ok(after)
}

/// Gives a job back unharmed; see [`jobs::hand_back`].
pub async fn hand_back(conn: &mut PgConnection, lease: &Lease, why: &str) -> Result<AfterFailure, DbError> {
    let after = jobs::hand_back(conn, lease, why).await?;
    if let AfterFailure::Retry { queue, .. } = &after {
        ticket::push_now(conn, queue).await?;
    }
    Ok(after)
}

/// Takes jobs from silent workers; see [`jobs::reap`].
pub async fn reap(conn: &mut PgConnection, limit: i64, settling: Duration) -> Result<Vec<Reaped>, DbError> {
    let reaped = jobs::reap(conn, limit, settling).await?;
    for queue in reaped.iter().filter_map(|job| job.requeued_in.as_deref()) {
        ticket::push_now(conn, queue).await?;
    }
    Ok(reaped)
}
