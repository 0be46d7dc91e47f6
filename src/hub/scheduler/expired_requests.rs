//! Forgets answers that were kept for clients which repeat a request (`Idempotency-Key`).

use std::time::Duration;

use super::BATCH;
use crate::{
    db::{DbError, idempotency_keys},
    hub::Hub,
};

/// How often.
pub const EVERY: Duration = Duration::from_secs(60);

/// One round.
pub async fn once(hub: Hub) -> Result<u64, DbError> {
    let mut conn = hub.pool.acquire().await?;
    idempotency_keys::prune(&mut conn, hub.clock.now(), BATCH).await
}
