//! A server's process: started, awaited, ended.

use std::{future::Future, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    START,
    ground::{Place, Room},
};
use crate::{
    connectors::{
        local::said::last_words,
        program::{At, Limits, Program, Running, Stdin},
    },
    domain::{error_code::ErrorCode, job::JobError},
};

/// How often a server that starts is asked whether it answers.
const OFTEN: Duration = Duration::from_millis(50);

/// A server that runs, and its directory. Dropping it ends the one and removes the other.
pub(super) struct Process {
    // In this order: first the server, then what it works in.
    running: Running,
    place: Place,
}

/// Runs a program that makes a server's data.
pub(super) async fn make(program: &Program, what: &str, cancel: &CancellationToken) -> Result<(), JobError> {
    let limits = Limits {
        bytes: 1024 * 1024,
        time: START,
    };
    let ran = program.run(At::Worker, Stdin::Empty, limits, cancel).await?;
    match ran.exit.success() {
        true => Ok(()),
        false => Err(failed(what, &ran.said)),
    }
}

/// A server that cannot be made or started.
pub(super) fn failed(what: &str, said: &str) -> JobError {
    JobError::new(
        ErrorCode::Internal,
        format!("{what} failed on the worker{}", last_words(said)),
        "See whether the server programs of the worker are whole, and whether it has memory for another server.",
    )
}

impl Process {
    /// Starts `server` and waits until `answers` says so.
    pub(super) async fn start<F: Future<Output = bool>>(
        place: Place,
        server: &Program,
        answers: impl Fn() -> F,
        cancel: &CancellationToken,
    ) -> Result<Self, JobError> {
        let running = server.start(At::Worker, Stdin::Empty).await?;
        let process = Self { running, place };
        let waiting = async {
            while !answers().await {
                tokio::time::sleep(OFTEN).await;
            }
        };
        match cancel.run_until_cancelled(tokio::time::timeout(START, waiting)).await {
            Some(Ok(())) => Ok(process),
            Some(Err(_)) => Err(failed("starting a database server", &process.running.said())),
            None => Err(stopped()),
        }
    }

    /// Resolves when the disk gets too full.
    pub(super) fn room(&self) -> Room {
        self.place.room()
    }

    /// Ends it and removes everything; returns when it is gone.
    pub(super) async fn end(self) {
        drop(self.running);
        let place = self.place;
        // Waits for what it kills, and removes many files.
        if let Err(error) = tokio::task::spawn_blocking(move || drop(place)).await {
            tracing::error!(%error, "removing a database server ended early");
        }
    }
}

pub(super) fn stopped() -> JobError {
    JobError::new(ErrorCode::Cancelled, "stopped before the server was there", "")
}
