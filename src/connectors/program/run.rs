//! Short runs whose output is wanted as a whole.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use super::{At, Program, Running, Stdin, running::Ended};
use crate::{
    connectors::local::Exit,
    domain::{error_code::ErrorCode, job::JobError},
};

/// What a short run may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most bytes of standard output.
    pub bytes: usize,
    /// Longest time.
    pub time: Duration,
}

impl Default for Limits {
    /// 1 MiB and a minute.
    fn default() -> Self {
        Self {
            bytes: 1024 * 1024,
            time: Duration::from_secs(60),
        }
    }
}

/// What a short run did.
#[derive(Debug, Clone)]
pub struct Ran {
    /// How it ended.
    pub exit: Exit,
    /// Its whole standard output.
    pub stdout: Vec<u8>,
    /// Its standard error; see [`Ended::said`].
    pub said: String,
}

impl Program {
    /// Runs it to its end and collects what it prints. It is ended when `cancel` fires or a limit is met.
    ///
    /// # Errors
    /// As [`start`](Self::start); `source_limit` if it prints too much, `transfer_interrupted` if it takes too
    /// long, `cancelled`. How it ended is for the caller to judge.
    pub async fn run(
        &self,
        at: At<'_>,
        stdin: Stdin,
        limits: Limits,
        cancel: &CancellationToken,
    ) -> Result<Ran, JobError> {
        let starting = cancel.run_until_cancelled(self.start(at, stdin));
        let mut running = starting.await.ok_or_else(cancelled)??;
        let reading = cancel.run_until_cancelled(tokio::time::timeout(limits.time, read(&mut running, limits.bytes)));
        let read = match reading.await {
            None => Err(cancelled()),
            Some(Err(_)) => Err(too_long(&running, limits)),
            Some(Ok(read)) => read,
        };
        match read {
            Ok(stdout) => {
                let Ended { exit, said } = running.wait().await?;
                Ok(Ran { exit, stdout, said })
            }
            Err(error) => {
                running.kill().await;
                Err(error)
            }
        }
    }
}

async fn read(running: &mut Running, most: usize) -> Result<Vec<u8>, JobError> {
    let mut stdout = Vec::new();
    let Some(output) = running.stdout.take() else {
        return Ok(stdout);
    };
    // An error is the end of the stream; how the program ended tells the rest.
    let _ = output.take(most as u64 + 1).read_to_end(&mut stdout).await;
    if stdout.len() > most {
        return Err(JobError::new(
            ErrorCode::SourceLimit,
            format!("{running:?} printed more than {most} bytes"),
            "There may be more databases or tables than one source can hold; choose fewer.",
        ));
    }
    Ok(stdout)
}

fn too_long(running: &Running, limits: Limits) -> JobError {
    let (seconds, said) = (limits.time.as_secs(), running.said());
    let words = crate::connectors::local::said::last_words(&said);
    JobError::new(
        ErrorCode::TransferInterrupted,
        format!("{running:?} did not end within {seconds} seconds{words}"),
        "The server may be overloaded or waiting for a lock. It is tried again by itself.",
    )
}

/// What a run that was cancelled ends with.
pub(super) fn cancelled() -> JobError {
    JobError::new(ErrorCode::Cancelled, "cancelled while a program was running", "")
}
