//! Running commands on the source, and ending them for real.
//!
//! Closing a channel does not end what runs at its other end, so every command announces its process
//! id first. Whatever a login shell prints before that (banners in `.bashrc`) is dropped.

use std::{sync::Arc, time::Duration};

use openssh::{Child, ChildStderr, ChildStdin, ChildStdout, Session, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::link::Link;
use crate::{
    connectors::local::Exit,
    domain::{error_code::ErrorCode, job::JobError},
};

/// Most bytes a login shell may print before our command's first line.
const MAX_NOISE: usize = 64 * 1024;
/// For the login shell to start the command.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// For a command to end after it was asked to; after half of it, it is killed.
const KILL_TIMEOUT: Duration = Duration::from_secs(20);
/// For the server to begin with that. A silent one is left alone: its sshd ends the command once it notices that
/// the connection is gone, and whoever cancelled does not wait for that.
const KILL_START_TIMEOUT: Duration = Duration::from_secs(5);
/// Linux limits one argument to 128 KiB, and the whole command is one.
pub(super) const MAX_COMMAND: usize = 120 * 1024;

/// A command running on the source. The streams may be taken and used apart.
///
/// Dropping it leaves the remote process to find out by itself (it gets SIGPIPE when it writes);
/// use [`kill`](Self::kill) to end it.
#[derive(Debug)]
pub struct RemoteChild {
    /// Its standard input; drop it to signal the end.
    pub stdin: Option<ChildStdin>,
    /// Its standard output, beginning with the command's first byte.
    pub stdout: Option<ChildStdout>,
    /// Its standard error, which may begin with what a login shell printed there.
    pub stderr: Option<ChildStderr>,
    process: Child<Arc<Session>>,
    pid: u32,
    link: Arc<Link>,
}

/// Starts `script` (for a POSIX shell); `None` if the account runs no commands.
pub(super) async fn start(link: &Arc<Link>, script: &str, stdin: Stdio) -> Result<Option<RemoteChild>, JobError> {
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let announced = format!("printf \"\\nxvault-%s %s\\n\" {nonce} \"$$\"; {script}");
    // `exec` and single quotes mean the same to every login shell (sh, csh, fish); and since each of
    // them is a session leader, the announced id is also that of the process group.
    let command = format!("exec sh -c {}", quote(&announced));
    if command.len() > MAX_COMMAND {
        return Err(JobError::new(
            ErrorCode::SourceLimit,
            format!(
                "the command for {} would be longer than {MAX_COMMAND} bytes",
                link.place
            ),
            "Name fewer or shorter paths.",
        ));
    }
    let mut process = Session::to_raw_command(Arc::clone(&link.session), command);
    process.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = process.spawn().await.map_err(|error| link.channel_failed(&error))?;
    let (stdin, mut stdout, stderr) = (process.stdin().take(), process.stdout().take(), process.stderr().take());
    let announcement = format!("xvault-{nonce} ");
    let found = match &mut stdout {
        Some(stdout) => tokio::time::timeout(START_TIMEOUT, find_pid(stdout, &announcement))
            .await
            .ok()
            .flatten(),
        None => None,
    };
    match found {
        Some(pid) => Ok(Some(RemoteChild {
            stdin,
            stdout,
            stderr,
            process,
            pid,
            link: Arc::clone(link),
        })),
        None if link.is_lost().await => Err(link.interruption()),
        None => Ok(None),
    }
}

/// `text` as one word of a shell's command line.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Reads up to and including the announcement, byte by byte so that nothing after it is consumed.
async fn find_pid(stdout: &mut (impl AsyncRead + Unpin), announcement: &str) -> Option<u32> {
    let mut line = Vec::new();
    for _ in 0..MAX_NOISE {
        match stdout.read_u8().await.ok()? {
            b'\n' => {
                let text = std::str::from_utf8(&line).ok();
                if let Some(pid) = text.and_then(|text| text.strip_prefix(announcement)) {
                    return pid.parse().ok().filter(|&pid| pid > 1);
                }
                line.clear();
            }
            byte => line.push(byte),
        }
    }
    None
}

impl RemoteChild {
    /// Closes standard input and waits for the command to end. Read the output to its end first,
    /// or a full pipe keeps the command from ending.
    ///
    /// # Errors
    /// `transfer_interrupted` if the connection was lost: then nobody knows how it ended.
    pub async fn wait(self) -> Result<Exit, JobError> {
        let Self {
            stdin, process, link, ..
        } = self;
        drop(stdin);
        match process.wait().await {
            Ok(status) => Ok(status.code().map_or(Exit::Signal, Exit::Code)),
            // The crate's name for exit code 127.
            Err(openssh::Error::Remote(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(Exit::Code(127)),
            Err(openssh::Error::RemoteProcessTerminated) if !link.is_lost().await => Ok(Exit::Signal),
            Err(_) => Err(link.interruption()),
        }
    }

    /// Ends the remote process and everything it started; returns when they are gone.
    ///
    /// # Errors
    /// If the connection is lost, or the process survives SIGKILL (stuck in the server's kernel).
    pub async fn kill(self) -> Result<(), JobError> {
        let Self {
            stdin,
            stdout,
            stderr,
            process,
            pid,
            link,
        } = self;
        drop((stdin, stdout, stderr));
        let script = format!(
            "all() {{ kill -s $1 -- -{pid} 2>/dev/null || kill -s $1 {pid} 2>/dev/null; }}; \
             all TERM; n=0; \
             while all 0; do \
             n=$((n+1)); [ $n -gt 50 ] && all KILL; [ $n -gt 100 ] && exit 1; \
             sleep 0.1 2>/dev/null || sleep 1; done; exit 0"
        );
        let killed = async {
            match tokio::time::timeout(KILL_START_TIMEOUT, start(&link, &script, Stdio::null())).await {
                Ok(Ok(Some(killer))) => killer.wait().await,
                Ok(Ok(None)) | Err(_) => Ok(Exit::Code(1)),
                Ok(Err(error)) => Err(error),
            }
        };
        let ended = tokio::time::timeout(KILL_TIMEOUT, killed).await;
        // Only now: the server would take a closed channel for a reason to close its pipes.
        drop(process);
        match ended {
            Ok(Ok(Exit::Code(0))) => Ok(()),
            Ok(Err(error)) => Err(error),
            _ => Err(JobError::new(
                ErrorCode::ProtocolError,
                format!("process {pid} on {} could not be ended", link.place),
                "It may hang in a file system of that server; look at it there.",
            )
            .transient()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn noise_before_the_announcement_is_dropped() {
        let mut output: &[u8] = b"Welcome!\nno newline\nxvault-n1 4711\nfirst byte";
        assert_eq!(find_pid(&mut output, "xvault-n1 ").await, Some(4711));
        assert_eq!(output, b"first byte");
    }

    #[tokio::test]
    async fn a_flood_or_a_lie_announces_nothing() {
        let flood = vec![b'x'; MAX_NOISE + 10];
        assert_eq!(find_pid(&mut flood.as_slice(), "xvault-n1 ").await, None);
        for lie in [
            "xvault-n1 -1\n",
            "xvault-n1 1\n",
            "xvault-n1 0\n",
            "xvault-n1 5; rm\n",
            "xvault-n2 5\n",
        ] {
            assert_eq!(find_pid(&mut lie.as_bytes(), "xvault-n1 ").await, None, "{lie}");
        }
    }
}
