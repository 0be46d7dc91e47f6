//! Tasks beside the one that hands out the work, and the wish to end it all.

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::domain::{error_code::ErrorCode, job::JobError};

/// Tasks that write. The first error of one is everybody's.
pub struct Crew {
    tasks: JoinSet<Result<(), JobError>>,
    cancel: CancellationToken,
}

impl Crew {
    /// Nobody yet.
    pub fn new(cancel: CancellationToken) -> Self {
        Self {
            tasks: JoinSet::new(),
            cancel,
        }
    }

    /// Begins a task.
    pub fn begin(&mut self, task: impl Future<Output = Result<(), JobError>> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits for `future`, unless a task fails or everything is to end.
    pub async fn meanwhile<T>(&mut self, future: impl Future<Output = T>) -> Result<T, JobError> {
        tokio::pin!(future);
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(cancelled()),
                Some(ended) = self.tasks.join_next() => judged(ended)?,
                done = &mut future => return Ok(done),
            }
        }
    }

    /// Waits until all tasks are done.
    pub async fn rest(&mut self) -> Result<(), JobError> {
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(cancelled()),
                ended = self.tasks.join_next() => match ended {
                    Some(ended) => judged(ended)?,
                    None => return Ok(()),
                },
            }
        }
    }

    /// Ends those that are left.
    pub async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }
}

fn judged(ended: Result<Result<(), JobError>, JoinError>) -> Result<(), JobError> {
    ended.unwrap_or_else(|fault| {
        Err(JobError::new(
            ErrorCode::Internal,
            format!("a fault in xVault ended the restore: {fault}"),
            "See the worker's log and report it.",
        ))
    })
}

fn cancelled() -> JobError {
    JobError::new(ErrorCode::Cancelled, "the restore was cancelled", "")
}
