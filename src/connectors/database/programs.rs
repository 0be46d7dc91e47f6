//! Client programs over an open way: asked something, made to dump, or to load. When one fails, the connection knows best why,
//! then the program's own words.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Reach;
use crate::{
    connectors::{
        CaptureSink,
        program::{Dump, DumpCause, Dumped, Feed, Limits, Load, LoadCause, Loaded, Onlooker, Program, Stdin},
    },
    domain::{entry::EntryPath, error_code::ErrorCode, job::JobError},
};

/// Most bytes of an answer: a list of very many tables.
const LONGEST_ANSWER: usize = 32 * 1024 * 1024;

/// What one question to a server may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The same to a server of our own, which is asked to count everything it has.
const OWN_PATIENCE: Duration = Duration::from_secs(12 * 3600);

impl Reach {
    /// Gives `client` statements to run; returns what it prints. `sort` makes an error of its last words.
    ///
    /// # Errors
    /// What broke the connection, else what `sort` says; `cancelled`.
    pub async fn ask(
        &self,
        client: &Program,
        statements: String,
        sort: impl FnOnce(&str) -> JobError,
        cancel: &CancellationToken,
    ) -> Result<String, JobError> {
        // What went wrong before has been told by then.
        self.take_failure();
        let limits = Limits {
            bytes: LONGEST_ANSWER,
            time: if self.is_own() { OWN_PATIENCE } else { PATIENCE },
        };
        let ran = client.run(self.at(), Stdin::Text(statements), limits, cancel).await?;
        match ran.exit.success() {
            true => Ok(String::from_utf8_lossy(&ran.stdout).into_owned()),
            false => Err(self.take_failure().unwrap_or_else(|| sort(&ran.said))),
        }
    }

    /// Runs a program that dumps, to `path` of `sink`, while `onlooker` looks on. `sort` makes an error of its last words if they name a cause.
    ///
    /// # Errors
    /// What broke the connection, else what `sort` says, else what is wrong with the dump; `cancelled`.
    pub async fn dump(
        &self,
        dumper: &Program,
        dump: Dump<'_>,
        path: EntryPath,
        (sink, onlooker): (&CaptureSink, &mut dyn Onlooker),
        sort: impl FnOnce(&str) -> Option<JobError>,
        cancel: &CancellationToken,
    ) -> Result<Dumped, JobError> {
        self.take_failure();
        let starting = cancel.run_until_cancelled(dumper.start(self.at(), Stdin::Empty));
        let cancelled = || JobError::new(ErrorCode::Cancelled, "the backup was cancelled", "");
        let running = starting.await.ok_or_else(cancelled)??;
        let fault = match dump.send(running, path, sink, onlooker, cancel).await {
            Ok(dumped) => return Ok(dumped),
            Err(fault) => fault,
        };
        let known = match fault.cause {
            DumpCause::Stopped(_) => None,
            DumpCause::Ended(_) => self.take_failure().or_else(|| sort(&fault.said)),
            _ => self.take_failure(),
        };
        Err(known.unwrap_or_else(|| fault.into_error()))
    }
    /// Runs a program that loads `feed`. `sort` makes an error of its last words if they name a cause. How a program ended
    /// that has read everything is for the caller to judge, with [`Load::refused`].
    ///
    /// # Errors
    /// What broke the connection, else what `sort` says, else why it was not loaded; `cancelled`.
    pub async fn load(
        &self,
        loader: &Program,
        load: &Load<'_>,
        feed: Feed,
        sort: impl FnOnce(&str) -> Option<JobError>,
        cancel: &CancellationToken,
    ) -> Result<Loaded, JobError> {
        self.take_failure();
        let starting = cancel.run_until_cancelled(loader.start(self.at(), Stdin::Piped));
        let cancelled = || JobError::new(ErrorCode::Cancelled, "stopped before the dump was loaded", "");
        let running = starting.await.ok_or_else(cancelled)??;
        let fault = match load.send(running, feed, cancel).await {
            Ok(loaded) if loaded.exit.success() => return Ok(loaded),
            Ok(loaded) => match self.take_failure().or_else(|| sort(&loaded.said)) {
                Some(error) => return Err(error),
                None => return Ok(loaded),
            },
            Err(fault) => fault,
        };
        let known = match fault.cause {
            LoadCause::Stopped(_) | LoadCause::BrokenOff => None,
            LoadCause::Ended(_) => self.take_failure().or_else(|| sort(&fault.said)),
            LoadCause::TooLong(_) => self.take_failure(),
        };
        Err(known.unwrap_or_else(|| fault.into_error()))
    }
}
