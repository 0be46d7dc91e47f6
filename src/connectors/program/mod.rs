//! Client programs (`pg_dump`, `mysql`, …) run on this worker or, over SSH, on the source.
//!
//! A program gets its arguments as they are, its secrets through memory files or its environment, and
//! nothing of ours besides. It never outlives the job: on this worker it dies with us, on the source
//! it is tied to the connection. Knows nothing of databases nor of what is done with the output.

use std::fmt;

use secrecy::SecretString;

use super::ssh::session::SshSession;
use crate::domain::job::JobError;

mod dump;
mod feed;
mod load;
mod on_source;
mod on_worker;
mod run;
mod running;

pub use dump::{Dump, DumpCause, DumpFault, Dumped, Onlooker};
pub use feed::{Feed, Feeder, feed};
pub use load::{Load, LoadCause, LoadFault, Loaded};
pub use run::{Limits, Ran};
pub use running::{Ended, Input, Output, Running};

/// Where a program runs.
#[derive(Debug, Clone, Copy)]
pub enum At<'a> {
    /// On this worker.
    Worker,
    /// On the source, over this connection.
    Source(&'a SshSession),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker => f.write_str("the worker"),
            Self::Source(session) => f.write_str(session.place()),
        }
    }
}

/// What a program finds on its standard input.
#[derive(Debug, Clone)]
pub enum Stdin {
    /// Nothing.
    Empty,
    /// A short text without secrets and NUL bytes.
    Text(String),
    /// What is written to [`Running::stdin`]. On the source, losing the connection looks to the program
    /// like the end of its input.
    Piped,
}

/// A program with its arguments and environment, to be started as often as wanted.
#[derive(Debug, Clone)]
pub struct Program {
    name: String,
    args: Vec<Value>,
    env: Vec<(&'static str, Value)>,
}

#[derive(Debug, Clone)]
enum Value {
    Plain(String),
    Secret(SecretString),
    /// The path of a memory file with this content, after a prefix.
    File(&'static str, SecretString),
}

impl Program {
    /// A program by its name in `PATH`, or its path.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            args: Vec::new(),
            env: Vec::new(),
        }
    }

    /// Appends an argument, which everybody on the host can see.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(Value::Plain(arg.into()));
        self
    }

    /// Appends arguments, which everybody on the host can see.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| Value::Plain(arg.into())));
        self
    }

    /// Appends an argument that ends with the path of a file with this content, which is in memory only.
    /// On this worker only: a source has no place for such a file that is on no disk for certain.
    #[must_use]
    pub fn secret_file_arg(mut self, prefix: &'static str, content: SecretString) -> Self {
        self.args.push(Value::File(prefix, content));
        self
    }

    /// Sets an environment variable. Ours are not passed on; `PATH`, and `LC_ALL=C`, are set.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, Value::Plain(value.into())));
        self
    }

    /// Sets an environment variable to a secret: only the same user and root can read it there.
    #[must_use]
    pub fn secret_env(mut self, name: &'static str, secret: SecretString) -> Self {
        self.env.push((name, Value::Secret(secret)));
        self
    }

    /// Sets an environment variable to the path of a file with this content, which is in memory only and
    /// has mode 0600. On this worker only.
    #[must_use]
    pub fn secret_file_env(mut self, name: &'static str, content: SecretString) -> Self {
        self.env.push((name, Value::File("", content)));
        self
    }

    /// Its name without directories, for messages.
    pub fn name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// Starts it. That there is no such program shows only when it ends: with exit code 127.
    ///
    /// # Errors
    /// `internal` if this worker cannot start processes; those of a lost connection on a source, and
    /// `protocol_error` if its account runs no commands.
    pub async fn start(&self, at: At<'_>, stdin: Stdin) -> Result<Running, JobError> {
        match at {
            At::Worker => on_worker::start(self, stdin).await,
            At::Source(session) => on_source::start(self, session, stdin).await,
        }
    }
}
