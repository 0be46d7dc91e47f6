//! One connection to one source: a single OpenSSH master, everything else as channels on it.
//!
//! Knows hosts, keys and processes; knows nothing of tar, SFTP packets or what is captured.

use std::{
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use openssh::{Child, ChildStdin, ChildStdout, Session, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{super::open::ConnectorContext, SshSource};
use crate::{
    connectors::local::Exit,
    domain::{error_code::ErrorCode, job::JobError},
};

mod child;
mod classify;
mod dial;
mod forward;
mod hop;
mod host_key;
mod link;
mod master;
mod reached;
mod unreached;

pub use child::{RemoteChild, quote};
pub(super) use classify::clean;
pub(super) use dial::Dialer;
pub use forward::{FarEnd, Forward};
pub(super) use hop::Hop;
pub(super) use host_key::{FAMILIES, Trust};
use link::Link;
pub(super) use reached::{NotReached, Reached};

/// Most bytes kept of each stream of a command run by [`SshSession::run`].
const MAX_OUTPUT: u64 = 256 * 1024;
/// For a command run by [`SshSession::run`].
const RUN_TIMEOUT: Duration = Duration::from_secs(60);

/// A logged-in connection. Dropping it ends the connection and removes its private directory soon
/// after; [`close`](Self::close) returns when both are gone.
#[derive(Debug)]
pub struct SshSession {
    link: Arc<Link>,
    runs_commands: bool,
    target: Reached,
    jump: Option<Reached>,
    /// How many forwards were made: each has a socket of its own.
    forwards: AtomicU32,
}

/// A channel that speaks SFTP. Keep it for as long as its streams are used.
#[derive(Debug)]
pub struct SftpChannel {
    /// Requests go here. `None` once taken.
    pub stdin: Option<ChildStdin>,
    /// Replies come from here. `None` once taken.
    pub stdout: Option<ChildStdout>,
    _process: Child<Arc<Session>>,
}

/// What a short command did.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// The first 256 KiB of its standard output.
    pub stdout: Vec<u8>,
    /// The first 256 KiB of its standard error.
    pub stderr: Vec<u8>,
}

impl SshSession {
    /// Connects to the source, through its jump host if it has one, and logs in. Checks addresses
    /// and approved identities before any credential goes out. May be dropped at any await.
    ///
    /// # Errors
    /// Every way this can fail has its own code; see [`ErrorCode`].
    pub async fn connect(source: &SshSource, ctx: &ConnectorContext) -> Result<Self, JobError> {
        let jump_hop = Hop::jump(source, ctx).await?;
        let target_hop = Hop::target(source, ctx).await?;
        let dialer = Dialer::new(ctx)?;
        let jump = match &jump_hop {
            None => None,
            Some(hop) => {
                let trust = Trust::pinned(source.identity.jump.as_deref());
                let reached = dialer.dial(hop, None, &trust).await;
                Some(reached.map_err(|e| e.into_error(hop, &trust))?)
            }
        };
        let trust = Trust::pinned(source.identity.target.as_deref());
        match dialer.dial(&target_hop, jump.as_ref(), &trust).await {
            Ok(target) => Ok(Self::over(source.runs_commands, &target_hop, target, jump)),
            Err(not_reached) => {
                close_all(jump).await;
                Err(not_reached.into_error(&target_hop, &trust))
            }
        }
    }

    /// A session over hops that were reached already.
    pub(super) fn over(runs_commands: bool, hop: &Hop, target: Reached, jump: Option<Reached>) -> Self {
        let session = Session::resume_mux(target.master.ctl().into(), None);
        let link = Arc::new(Link {
            session: Arc::new(session),
            place: hop.to_string(),
            ended: target.master.ended(),
            log: target.master.log(),
        });
        Self {
            link,
            runs_commands,
            target,
            jump,
            forwards: AtomicU32::new(0),
        }
    }

    /// `host:port` as the user named it, for messages.
    pub fn place(&self) -> &str {
        &self.link.place
    }

    /// Why the connection was lost, once a stream has ended or failed before its time.
    pub fn interruption(&self) -> JobError {
        self.link.interruption()
    }

    /// True if the connection is over (waits up to half a second for that to show).
    pub async fn is_lost(&self) -> bool {
        self.link.is_lost().await
    }

    /// True if the account runs commands. Always false, without asking, if none may be run.
    ///
    /// # Errors
    /// If the connection is lost or refuses channels.
    pub async fn has_shell(&self) -> Result<bool, JobError> {
        if !self.runs_commands {
            return Ok(false);
        }
        // An account that serves only SFTP starts that for any command; no input ends it.
        match child::start(&self.link, "exit 0", Stdio::null()).await? {
            Some(child) => child.wait().await.map(|exit| exit.success()),
            None => Ok(false),
        }
    }

    /// Starts a POSIX shell script on the source. Prefer `exec program …` as its last command and
    /// avoid newlines and `!`, which a csh as login shell would misread. At most 120 KiB: pass long
    /// lists through its standard input.
    ///
    /// # Errors
    /// `protocol_error` if the account runs no commands; ask [`has_shell`](Self::has_shell) first.
    pub async fn exec(&self, script: &str) -> Result<RemoteChild, JobError> {
        self.start(script, Stdio::piped()).await
    }

    /// Runs a short script without input and collects what it prints.
    ///
    /// # Errors
    /// As [`exec`](Self::exec), and `protocol_error` if it takes longer than a minute.
    pub async fn run(&self, script: &str) -> Result<Finished, JobError> {
        let mut child = self.start(script, Stdio::null()).await?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let finished = tokio::time::timeout(RUN_TIMEOUT, async {
            let (stdout, stderr) = tokio::join!(first_bytes(stdout), first_bytes(stderr));
            Ok(Finished {
                exit: child.wait().await?,
                stdout,
                stderr,
            })
        });
        finished.await.unwrap_or_else(|_| {
            Err(JobError::new(
                ErrorCode::TransferInterrupted,
                format!("a short command on {} did not end within a minute", self.place()),
                "The server may be overloaded. It is tried again by itself.",
            ))
        })
    }

    async fn start(&self, script: &str, stdin: Stdio) -> Result<RemoteChild, JobError> {
        if !self.runs_commands {
            let text = format!("a command was to be run on {}, a source of kind sftp", self.place());
            return Err(JobError::new(ErrorCode::Internal, text, "").permanent());
        }
        child::start(&self.link, script, stdin).await?.ok_or_else(|| {
            JobError::new(
                ErrorCode::ProtocolError,
                format!("the account on {} runs no commands", self.place()),
                "Use an account with a shell, or the source kind sftp.",
            )
        })
    }

    /// Opens the `sftp` subsystem.
    ///
    /// # Errors
    /// `protocol_error` if the server has none, `transfer_interrupted` if the connection is lost.
    pub async fn sftp_subsystem(&self) -> Result<SftpChannel, JobError> {
        let mut subsystem = Session::to_subsystem(Arc::clone(&self.link.session), "sftp");
        subsystem
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = subsystem
            .spawn()
            .await
            .map_err(|error| self.link.channel_failed(&error))?;
        Ok(SftpChannel {
            stdin: process.stdin().take(),
            stdout: process.stdout().take(),
            _process: process,
        })
    }

    /// The server has no SFTP, or something else answers in its place.
    pub fn no_sftp(&self) -> JobError {
        JobError::new(
            ErrorCode::ProtocolError,
            format!("{} does not serve SFTP to this account", self.place()),
            "Enable the sftp subsystem in the server's sshd_config (Subsystem sftp internal-sftp), and keep the \
             account's shell start-up files from printing anything.",
        )
    }

    /// Ends the connection; returns when ssh is gone and its private directory removed.
    pub async fn close(self) {
        close_all([self.target].into_iter().chain(self.jump)).await;
    }
}

/// Ends connections, one after the other.
pub(super) async fn close_all(connections: impl IntoIterator<Item = Reached>) {
    for connection in connections {
        connection.close().await;
    }
}

/// Reads a stream to its end but keeps only its beginning.
async fn first_bytes(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else { return kept };
    // What was read before an error is all there is; how the command ended tells the rest.
    let _ = (&mut stream).take(MAX_OUTPUT).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    kept
}
