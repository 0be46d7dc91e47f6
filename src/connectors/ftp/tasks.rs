//! What waits to be done on a connection: listings first, because everything else comes out of them, then
//! files in the order in which they are handed on.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, oneshot};

use super::{connection::Connection, error::FtpError, fetch::Fetch, listing::Listing};

/// One thing to do.
pub enum Task {
    /// List a directory.
    List(ListTask),
    /// Fetch a file.
    Fetch(Box<Fetch>),
}

/// A directory to list.
pub struct ListTask {
    /// Its absolute path.
    pub path: Vec<u8>,
    /// What years are relative to.
    pub now: DateTime<Utc>,
    /// Who asked.
    pub answer: Option<oneshot::Sender<Result<Listing, FtpError>>>,
}

impl Task {
    /// Does it. `Ok(false)` if the connection is of no use afterwards.
    ///
    /// # Errors
    /// Those of the connection, after which the task can go on over another; and those that [`Task::fail`]
    /// must tell.
    pub async fn run(&mut self, connection: &mut Connection) -> Result<bool, FtpError> {
        match self {
            Self::Fetch(fetch) => fetch.run(connection).await,
            Self::List(task) => {
                let listing = Listing::of(connection, &task.path, task.now).await;
                match listing {
                    Err(error) if !matches!(error, FtpError::Refused(_) | FtpError::Unspeakable) => Err(error),
                    listing => {
                        task.answer(listing);
                        Ok(true)
                    }
                }
            }
        }
    }

    /// Tells whoever waits that it will not be done.
    pub async fn fail(&mut self, error: FtpError) {
        match self {
            Self::Fetch(fetch) => fetch.fail(error).await,
            Self::List(task) => task.answer(Err(error)),
        }
    }

    /// A number that grows with every step forward.
    pub fn progress(&self) -> u64 {
        match self {
            Self::Fetch(fetch) => fetch.received(),
            Self::List(_) => 0,
        }
    }
}

impl ListTask {
    fn answer(&mut self, listing: Result<Listing, FtpError>) {
        if let Some(answer) = self.answer.take() {
            // Nobody waits any more: the capture is over.
            let _ = answer.send(listing);
        }
    }
}

#[derive(Default)]
struct State {
    lists: VecDeque<Task>,
    files: VecDeque<Task>,
    /// Taken and neither done nor given back.
    out: usize,
    workers: usize,
    closed: bool,
}

/// The queue that workers take from.
#[derive(Default)]
pub struct Tasks {
    state: Mutex<State>,
    changed: Notify,
}

impl Tasks {
    /// A queue that `workers` will take from.
    pub fn new(workers: usize) -> Self {
        let tasks = Self::default();
        tasks.lock().workers = workers;
        tasks
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one.
    pub fn push(&self, task: Task) {
        let mut state = self.lock();
        match task {
            Task::List(_) => state.lists.push_back(task),
            Task::Fetch(_) => state.files.push_back(task),
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Nothing more will be added.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    /// The next one, waited for; `None` when all is done. Each one taken is [`Tasks::done`] or given back.
    pub async fn next(&self) -> Option<Task> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            {
                let mut state = self.lock();
                if let Some(task) = state.lists.pop_front().or_else(|| state.files.pop_front()) {
                    state.out += 1;
                    return Some(task);
                }
                if state.closed && state.out == 0 {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// One that was taken is done, or failed.
    pub fn done(&self) {
        let mut state = self.lock();
        state.out -= 1;
        if state.out == 0 && state.closed {
            drop(state);
            self.changed.notify_waiters();
        }
    }

    /// Hands a task over to the other workers; the caller works no more. Given back if there are none.
    pub fn resign(&self, task: Task) -> Result<(), Task> {
        let mut state = self.lock();
        if state.workers < 2 {
            return Err(task);
        }
        state.workers -= 1;
        state.out -= 1;
        match task {
            Task::List(_) => state.lists.push_front(task),
            Task::Fetch(_) => state.files.push_front(task),
        }
        drop(state);
        self.changed.notify_one();
        Ok(())
    }
}
