//! Keeps the lease of an attempt while its work goes on.

use std::{convert::Infallible, time::Duration};

use super::{
    attempt::{Attempt, StopReason},
    node::Node,
};
use crate::db::{
    self, DbError,
    jobs::{self, Renewal},
};

/// Longest pause between renewals while the database is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Renews the lease and writes progress until the future is dropped. Stops the attempt when somebody
/// cancelled the job or when the lease is lost. A database that is away stops nothing: the work goes
/// on, and if the lease ran out meanwhile, the report will be refused.
pub async fn keep(node: &Node, attempt: &Attempt) -> Infallible {
    let mut pause = node.timing.renew_every;
    loop {
        tokio::time::sleep(pause).await;
        match db::answered(renew(node, attempt)).await {
            Ok(Renewal::Held { cancel_requested }) => {
                pause = node.timing.renew_every;
                if cancel_requested {
                    attempt.stop(StopReason::Cancelled);
                }
            }
            Ok(Renewal::Lost) => {
                tracing::warn!("the lease is lost; ending the work");
                attempt.stop(StopReason::LeaseLost);
                // Nothing is left to keep; whoever runs us drops us when the work has ended.
                return std::future::pending().await;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot renew the lease; the work goes on");
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn renew(node: &Node, attempt: &Attempt) -> Result<Renewal, DbError> {
    let mut conn = node.pool.acquire().await?;
    let renewal = jobs::renew(&mut conn, &attempt.lease, node.timing.lease, &attempt.progress()).await?;
    node.notifier.job(&attempt.job.id);
    Ok(renewal)
}
