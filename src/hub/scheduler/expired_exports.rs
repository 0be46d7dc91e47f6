//! Forgets exports whose links died long ago. (Their files go at once, by the worker that has them.)

use std::time::Duration;

use super::BATCH;
use crate::{
    db::{DbError, exports},
    hub::Hub,
};

/// How often.
pub const EVERY: Duration = Duration::from_secs(60 * 60);

/// How long a dead link can still say why it does not work.
const KEEP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// One round.
pub async fn once(hub: Hub) -> Result<u64, DbError> {
    let mut conn = hub.pool.acquire().await?;
    exports::prune(&mut conn, KEEP, BATCH).await
}
