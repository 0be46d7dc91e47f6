//! Connections to write over: as many as the source allows and the server wants, each used by one task at a time.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{
    super::{connection::Connection, dial::Dialer},
    offers::Offers,
};
use crate::domain::{error_code::ErrorCode, job::JobError};

/// A connection that was not used for so long is asked whether it is still there: servers hang up after minutes.
const FRESH: Duration = Duration::from_secs(20);

/// The connections of one target.
pub struct Lanes {
    dialer: Dialer,
    free: Arc<Semaphore>,
    state: Mutex<State>,
    offers: Arc<Offers>,
}

struct State {
    idle: Vec<(Instant, Connection)>,
    /// Connections that may exist at the same time.
    allowed: usize,
}

/// A connection in use. It is closed unless it is given back.
pub struct Lane {
    /// The connection.
    pub connection: Connection,
    lanes: Arc<Lanes>,
    permit: OwnedSemaphorePermit,
}

impl Lanes {
    /// At most `allowed` connections, of which `connection` is one.
    pub fn new(dialer: Dialer, allowed: usize, connection: Connection, offers: Arc<Offers>) -> Self {
        Self {
            dialer,
            free: Arc::new(Semaphore::new(allowed)),
            state: Mutex::new(State {
                idle: vec![(Instant::now(), connection)],
                allowed,
            }),
            offers,
        }
    }

    /// `host:port`, for messages.
    pub fn place(&self) -> &str {
        self.dialer.place()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection, waited for if all are in use.
    ///
    /// # Errors
    /// If none can be made and none exists.
    pub async fn take(self: &Arc<Self>) -> Result<Lane, JobError> {
        loop {
            let permit = Arc::clone(&self.free).acquire_owned().await;
            let permit = permit.map_err(|_| JobError::new(ErrorCode::Cancelled, "the restore has ended", ""))?;
            let connection = match self.idle().await {
                Some(connection) => connection,
                None => match self.connect().await {
                    Ok(connection) => connection,
                    // The server has enough of us: the others go on.
                    Err(_) if self.do_with_less() => {
                        permit.forget();
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            };
            return Ok(Lane {
                connection,
                lanes: Arc::clone(self),
                permit,
            });
        }
    }

    async fn idle(&self) -> Option<Connection> {
        loop {
            let (since, mut connection) = self.state().idle.pop()?;
            if since.elapsed() < FRESH || connection.ask("NOOP", b"").await.is_ok() {
                return Some(connection);
            }
        }
    }

    async fn connect(&self) -> Result<Connection, JobError> {
        let mut connection = self.dialer.connect().await?;
        let prepared = self.offers.prepare(&mut connection).await;
        prepared.map_err(|error| error.into_job_error(self.place()))?;
        Ok(connection)
    }

    fn do_with_less(&self) -> bool {
        let mut state = self.state();
        let more = state.allowed > 1;
        state.allowed -= usize::from(more);
        more
    }

    /// Ends all connections that are not in use, and lets no more be taken.
    pub async fn close(&self) {
        self.free.close();
        let idle = std::mem::take(&mut self.state().idle);
        futures::future::join_all(idle.into_iter().map(|(_, connection)| connection.close())).await;
    }
}

impl Lane {
    /// For the next one.
    pub fn give_back(self) {
        let Self {
            connection,
            lanes,
            permit,
        } = self;
        lanes.state().idle.push((Instant::now(), connection));
        drop(permit);
    }
}
