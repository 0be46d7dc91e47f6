//! From an artifact into a program that loads dumps.
//!
//! Loaded is what the program took to its last byte and then called good: a dump that broke off, or a program that stopped
//! reading before the end, is not, whatever the exit status says.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::{
    feed::{BrokenOff, Feed},
    run::cancelled,
    running::{Ended, Input, Running},
};
use crate::{
    connectors::local::{Exit, said::last_words},
    domain::{error_code::ErrorCode, job::JobError},
};

/// A dump that is loaded.
#[derive(Debug, Clone)]
pub struct Load<'a> {
    /// What is loaded, for messages: `the database shop`.
    pub what: &'a str,
    /// Longest time from its first byte to the end of the program.
    pub time: Duration,
}

/// What a program did that took a whole dump.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Bytes of the dump.
    pub bytes: u64,
    /// How it ended, which need not be well.
    pub exit: Exit,
    /// What it wrote to its standard error: text of a stranger.
    pub said: String,
}

/// Why a dump was not loaded.
#[derive(Debug, Clone)]
pub struct LoadFault {
    /// What went wrong.
    pub cause: LoadCause,
    /// What the program wrote to its standard error: text of a stranger, and often the real reason.
    pub said: String,
    /// `mariadb, loading the database shop on the worker`
    pub which: String,
}

/// What went wrong with loading.
#[derive(Debug, Clone)]
pub enum LoadCause {
    /// It was stopped, or the connection it runs over was lost.
    Stopped(JobError),
    /// The dump broke off. Whoever reads it knows why.
    BrokenOff,
    /// The program ended before it had read everything, or says that it failed.
    Ended(Exit),
    /// It took too long.
    TooLong(Duration),
}

impl LoadFault {
    /// The error of the job, for causes that need no better words.
    pub fn into_error(self) -> JobError {
        let Self { cause, said, which } = self;
        let words = last_words(&said);
        let (code, message, hint) = match cause {
            LoadCause::Stopped(error) => return error,
            LoadCause::BrokenOff => (
                ErrorCode::TransferInterrupted,
                format!("{which}: the dump broke off"),
                "Verify the snapshot.",
            ),
            LoadCause::Ended(Exit::Code(0)) => (
                ErrorCode::LoadFailed,
                format!("{which} ended before it had read the whole dump{words}"),
                "Look at the dump: it may hold a command that ends the program.",
            ),
            LoadCause::Ended(Exit::Code(code)) => (
                ErrorCode::LoadFailed,
                format!("{which} ended with exit code {code}{words}"),
                "The message is the server's or program's own. A server of another version than the dump's, or without its \
                 extensions, may refuse parts of it.",
            ),
            LoadCause::Ended(Exit::Signal) => (
                ErrorCode::LoadFailed,
                format!("{which} was ended by a signal{words}"),
                "It may have run out of memory; look at the system's log where it ran.",
            ),
            LoadCause::TooLong(time) => (
                ErrorCode::LoadTooLong,
                format!("{which} did not end within {} minutes{words}", time.as_secs() / 60),
                "The server may be overloaded or waiting for a lock, or the dump may hold something that never ends.",
            ),
        };
        JobError::new(code, message, hint)
    }
}

impl Load<'_> {
    /// Writes `feed` to the standard input of `running`, which must be piped, and waits for its end. Whatever goes wrong,
    /// the program has ended when this returns.
    ///
    /// # Errors
    /// The reason. That a program which read everything was content is for the caller to judge, by [`Loaded::exit`].
    pub async fn send(
        &self,
        mut running: Running,
        mut feed: Feed,
        cancel: &CancellationToken,
    ) -> Result<Loaded, LoadFault> {
        let which = format!("{}, loading {} on {}", running.name(), self.what, running.place());
        let fault = |cause, said| LoadFault { cause, said, which };
        let input = running.stdin.take();
        if let Some(mut output) = running.stdout.take() {
            // What it prints is of no use, and unread it would stop.
            tokio::spawn(async move { tokio::io::copy(&mut output, &mut tokio::io::sink()).await });
        }
        let deadline = tokio::time::Instant::now() + self.time;
        let pumping = tokio::time::timeout_at(deadline, pump(input, &mut feed));
        let pumped = match cancel.run_until_cancelled(pumping).await {
            None => Err(LoadCause::Stopped(cancelled())),
            Some(Err(_)) => Err(LoadCause::TooLong(self.time)),
            Some(Ok(Err(BrokenOff))) => Err(LoadCause::BrokenOff),
            Some(Ok(Ok(pumped))) => Ok(pumped),
        };
        // Lets the thread that reads the dump end.
        drop(feed);
        let (bytes, all) = match pumped {
            Ok(pumped) => pumped,
            Err(cause) => return Err(fault(cause, running.kill().await)),
        };
        let said = running.said();
        // Dropping it ends it.
        let waiting = tokio::time::timeout_at(deadline, running.wait());
        match cancel.run_until_cancelled(waiting).await {
            None => Err(fault(LoadCause::Stopped(cancelled()), said)),
            Some(Err(_)) => Err(fault(LoadCause::TooLong(self.time), said)),
            Some(Ok(Err(error))) => Err(fault(LoadCause::Stopped(error), said)),
            Some(Ok(Ok(Ended { exit, said }))) if !all => Err(fault(LoadCause::Ended(exit), said)),
            Some(Ok(Ok(Ended { exit, said }))) => Ok(Loaded { bytes, exit, said }),
        }
    }

    /// The fault of a program that read everything and was not content.
    pub fn refused(&self, loaded: Loaded, program: &str, place: &str) -> LoadFault {
        LoadFault {
            cause: LoadCause::Ended(loaded.exit),
            said: loaded.said,
            which: format!("{program}, loading {} on {place}", self.what),
        }
    }
}

/// Bytes written, and whether that was all of them: a program may end before.
async fn pump(input: Option<Input>, feed: &mut Feed) -> Result<(u64, bool), BrokenOff> {
    let mut bytes = 0;
    let Some(mut input) = input else {
        return Ok((bytes, false));
    };
    while let Some(piece) = feed.next().await? {
        bytes += piece.len() as u64;
        if input.write_all(&piece).await.is_err() {
            return Ok((bytes, false));
        }
    }
    // A pipe has nothing to flush, an SSH channel has.
    let all = input.shutdown().await.is_ok();
    Ok((bytes, all))
}
