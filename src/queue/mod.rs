//! The queue: the only place that knows apalis.
//!
//! A row in the queue is a ticket: "one permit to claim the next due job of this queue". It names no
//! job, so a lost one is replaced by the hub's sweeper and a doubled one does no harm. Knows the
//! domain and `db`; nothing of what jobs do.

use sqlx::PgPool;

use crate::db::{DbError, tickets};

mod consumer;
mod enqueue;
pub mod orders;
mod requeue;
pub mod route;
mod ticket;
mod wakeups;

pub use consumer::Consumer;
pub use enqueue::{EnqueueError, enqueue};
pub use requeue::{fail, hand_back, reap};
pub use ticket::{push_at, push_now};
pub use wakeups::Wakeups;

/// Creates or updates the queue's own tables (schema `apalis`). Runs after [`crate::db::migrate`],
/// with the right to create extensions (hstore and pgcrypto, both trusted).
pub async fn setup(pool: &PgPool) -> Result<(), DbError> {
    apalis_postgres::PostgresStorage::<()>::setup(pool)
        .await
        .map_err(ticket::into_db)?;
    tickets::tune(&mut *pool.acquire().await?).await
}
