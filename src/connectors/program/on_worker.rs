//! Starting a program on this worker.

use std::{io, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::ExposeSecret;
use tokio::{io::AsyncWriteExt, process::Child};

use super::{
    Program, Stdin, Value,
    running::{Input, Process, Running, Streams},
};
use crate::{
    connectors::local::{Exit, SecretFile, spawner},
    domain::{error_code::ErrorCode, job::JobError},
};

/// For a program to end by itself once asked to: time to tell its server to stop a query.
const GRACE: Duration = Duration::from_secs(3);

/// A child that leads a process group, and the files it may read. Dropping it kills the group.
#[derive(Debug)]
pub(super) struct LocalChild {
    child: Child,
    _files: Vec<SecretFile>,
}

pub(super) async fn start(program: &Program, stdin: Stdin) -> Result<Running, JobError> {
    started(program, stdin).await.map_err(|error| {
        JobError::new(
            ErrorCode::Internal,
            format!("could not start {} on the worker: {error}", program.name()),
            "The worker needs setpriv (package util-linux) in its PATH, and free memory and processes.",
        )
    })
}

async fn started(program: &Program, stdin: Stdin) -> io::Result<Running> {
    let mut files = Vec::new();
    let mut command = spawner::command(&program.name);
    for arg in &program.args {
        command.arg(text_of(arg, &mut files)?);
    }
    for (name, value) in &program.env {
        command.env(name, text_of(value, &mut files)?);
    }
    command.stdout(Stdio::piped());
    if !matches!(stdin, Stdin::Empty) {
        command.stdin(Stdio::piped());
    }
    let mut child = spawner::spawn(command).await?;
    let (input, output, said) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let input = match (stdin, input) {
        (Stdin::Text(text), Some(mut input)) => {
            // A program that ends before it has read it all has its reasons, and tells them.
            tokio::spawn(async move { input.write_all(text.as_bytes()).await });
            None
        }
        (_, input) => input.map(|input| Box::pin(input) as Input),
    };
    let streams = Streams {
        input,
        output: output.map(|output| Box::pin(output) as _),
        said: said.map(|said| Box::pin(said) as _),
    };
    let process = Process::Local(LocalChild { child, _files: files });
    Ok(Running::new(program.name(), "the worker", process, streams))
}

fn text_of(value: &Value, files: &mut Vec<SecretFile>) -> io::Result<String> {
    Ok(match value {
        Value::Plain(text) => text.clone(),
        Value::Secret(secret) => secret.expose_secret().to_owned(),
        Value::File(prefix, content) => {
            let file = SecretFile::new(content)?;
            let path = format!("{prefix}{}", file.path());
            files.push(file);
            path
        }
    })
}

impl LocalChild {
    pub(super) async fn wait(mut self) -> io::Result<Exit> {
        let status = self.child.wait().await?;
        Ok(status.code().map_or(Exit::Signal, Exit::Code))
    }

    /// Asks the program to end, then ends it with everything it started.
    pub(super) async fn kill(mut self) {
        let group = self.group();
        signal(group, Signal::TERM);
        // Whether it ended in time makes no difference to what comes now.
        let _ = tokio::time::timeout(GRACE, self.child.wait()).await;
        // What it started and left behind keeps the group's number from being given to others.
        signal(group, Signal::KILL);
        let _ = self.child.wait().await;
    }

    /// Its process group, until it was waited for.
    fn group(&self) -> Option<Pid> {
        self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()))
    }
}

impl Drop for LocalChild {
    fn drop(&mut self) {
        signal(self.group(), Signal::KILL);
    }
}

fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // It may be gone by itself.
        let _ = kill_process_group(group, signal);
    }
}
