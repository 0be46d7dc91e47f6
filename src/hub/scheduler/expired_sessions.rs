//! Forgets sign-ins that ended by themselves.

use std::time::Duration;

use super::BATCH;
use crate::{
    db::{DbError, sessions},
    hub::Hub,
};

/// How often.
pub const EVERY: Duration = Duration::from_secs(60);

/// One round.
pub async fn once(hub: Hub) -> Result<u64, DbError> {
    let mut conn = hub.pool.acquire().await?;
    sessions::prune(&mut conn, hub.clock.now(), BATCH).await
}
