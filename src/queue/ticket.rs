//! Tickets: what travels through apalis.

use apalis::prelude::TaskBuilder;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::db::DbError;

/// A permit to claim the next due job of the queue it lies in. Says nothing else, on purpose.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ticket {
    /// Version of this message, 1.
    pub v: u8,
}

/// Adds a ticket that is good at once, in the caller's transaction.
pub async fn push_now(conn: &mut PgConnection, queue: &str) -> Result<(), DbError> {
    push(conn, queue, None, 1).await
}

/// Adds `count` tickets that are good from `run_at` on, in the caller's transaction.
pub async fn push_at(conn: &mut PgConnection, queue: &str, run_at: DateTime<Utc>, count: usize) -> Result<(), DbError> {
    // apalis keeps whole seconds: rounded up, so that a ticket never comes before its job is due.
    let seconds = run_at.timestamp() + i64::from(run_at.timestamp_subsec_nanos() > 0);
    push(conn, queue, Some(seconds.unsigned_abs()), count).await
}

async fn push(conn: &mut PgConnection, queue: &str, run_at: Option<u64>, count: usize) -> Result<(), DbError> {
    let message = serde_json::to_vec(&Ticket { v: 1 }).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let tickets = (0..count)
        .map(|_| {
            let ticket = TaskBuilder::new(message.clone());
            match run_at {
                Some(seconds) => ticket.run_at_timestamp(seconds).build(),
                None => ticket.build(),
            }
        })
        .collect();
    apalis_postgres::queries::push_tasks(conn, queue, tickets)
        .await
        .map_err(into_db)
}

/// What apalis-postgres reports, in our words.
pub(super) fn into_db(error: apalis_postgres::Error) -> DbError {
    match error {
        apalis_postgres::Error::Database(error) => error.into(),
        other => sqlx::Error::Protocol(other.to_string()).into(),
    }
}
