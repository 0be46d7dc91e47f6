//! A connection that is kept between uses which follow each other quickly.

use std::time::{Duration, Instant};

use sqlx::PgPool;

use super::{Connection, DbError};

/// How long a kept connection is trusted without a sign of life.
const TRUSTED: Duration = Duration::from_secs(1);

/// At most one connection of a pool. A pool asks a connection for a sign of life whenever it comes back; where
/// something happens hundreds of times a second, that is most of the traffic.
#[derive(Debug)]
pub struct Kept {
    pool: PgPool,
    last: Option<(Connection, Instant)>,
}

impl Kept {
    /// None yet, of this pool.
    pub fn of(pool: PgPool) -> Self {
        Self { pool, last: None }
    }

    /// The one that was used a moment ago, or one from the pool.
    pub async fn take(&mut self) -> Result<Connection, DbError> {
        match self.last.take() {
            Some((conn, used)) if used.elapsed() < TRUSTED => Ok(conn),
            _ => Ok(self.pool.acquire().await?),
        }
    }

    /// Keeps it for the next use. Not for one whose last statement failed: that goes back to the pool.
    pub fn keep(&mut self, conn: Connection) {
        self.last = Some((conn, Instant::now()));
    }
}
