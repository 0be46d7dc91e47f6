//! A program that runs, wherever that is.

use std::{fmt, io, pin::Pin, time::Duration};

use openssh::ChildStdin;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
};

use super::on_worker::LocalChild;
use crate::{
    connectors::{
        local::{Exit, Said},
        ssh::session::RemoteChild,
    },
    domain::{error_code::ErrorCode, job::JobError},
};

/// A program's standard input.
pub type Input = Pin<Box<dyn AsyncWrite + Send>>;
/// A program's standard output or error.
pub type Output = Pin<Box<dyn AsyncRead + Send>>;

/// For the rest of its standard error after a program has ended; something it started may hold it open.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A program that runs. The streams may be taken and used apart. Dropping it ends the program: one on this
/// worker at once, one on the source when it sees that its connection has closed.
pub struct Running {
    /// Its standard input, if it was [`Stdin::Piped`](super::Stdin::Piped); drop it to signal the end.
    pub stdin: Option<Input>,
    /// Its standard output.
    pub stdout: Option<Output>,
    name: String,
    place: String,
    said: Said,
    hearing: Option<JoinHandle<()>>,
    process: Process,
}

/// How a program ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// By itself or by a signal.
    pub exit: Exit,
    /// What it wrote to its standard error: beginning and end, if it was much. Text of a stranger.
    pub said: String,
}

/// Where it runs.
pub(super) enum Process {
    Local(LocalChild),
    Remote {
        child: Box<RemoteChild>,
        /// When this closes, the program is ended there.
        _leash: Option<ChildStdin>,
    },
}

/// What is connected to it.
pub(super) struct Streams {
    pub(super) input: Option<Input>,
    pub(super) output: Option<Output>,
    pub(super) said: Option<Output>,
}

impl Running {
    pub(super) fn new(name: &str, place: &str, process: Process, streams: Streams) -> Self {
        let said = Said::default();
        let hearing = streams.said.map(|stream| tokio::spawn(said.clone().collect(stream)));
        Self {
            stdin: streams.input,
            stdout: streams.output,
            name: name.to_owned(),
            place: place.to_owned(),
            said,
            hearing,
            process,
        }
    }

    /// What it wrote to its standard error so far: text of a stranger.
    pub fn said(&self) -> String {
        self.said.text()
    }

    /// Closes its standard input, reads what is left of its output and waits for it to end.
    ///
    /// # Errors
    /// `transfer_interrupted` if the connection it ran over was lost: then nobody knows how it ended.
    pub async fn wait(mut self) -> Result<Ended, JobError> {
        drop(self.stdin.take());
        if let Some(mut output) = self.stdout.take() {
            // Unread output would keep it from ending; an error is the end of it.
            let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
        }
        let exit = match self.process {
            Process::Local(child) => child.wait().await.map_err(|error| lost(&self.name, &error))?,
            Process::Remote { child, _leash } => child.wait().await?,
        };
        if let Some(hearing) = self.hearing.take() {
            let _ = tokio::time::timeout(LAST_WORDS, hearing).await;
        }
        Ok(Ended {
            exit,
            said: self.said.text(),
        })
    }

    /// Ends it and everything it started; returns when it is gone, or the connection to it is. Gives what it
    /// wrote to its standard error.
    pub async fn kill(self) -> String {
        drop((self.stdin, self.stdout));
        match self.process {
            Process::Local(child) => child.kill().await,
            // What cannot be ended there has lost its connection, or hangs in the source's kernel.
            Process::Remote { child, _leash } => drop(child.kill().await),
        }
        self.said.text()
    }

    /// Its name, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it runs, for messages: `the worker`, or host and port of the source.
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.name, self.place)
    }
}

fn lost(name: &str, error: &io::Error) -> JobError {
    JobError::new(
        ErrorCode::Internal,
        format!("could not wait for {name} on the worker: {error}"),
        "",
    )
}
