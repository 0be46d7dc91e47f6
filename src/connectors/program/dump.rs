//! From a dumping program into the artifact, and the judgement whether what came is a dump.
//!
//! Bytes go on while they come, so nothing is kept. Only the end tells whether they were worth it: exit
//! status, beginning, last line and size must all be right before the stream counts as complete.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use super::{
    run::cancelled,
    running::{Ended, Running},
};
use crate::{
    connectors::{CHUNK, CaptureSink, local::Exit, local::said::last_words},
    domain::{
        entry::{Captured, EntryPath, FileEnd},
        error_code::ErrorCode,
        job::JobError,
    },
};

/// Bytes of the end that are looked at.
const TAIL: usize = 1024;

/// What makes a dump a dump.
#[derive(Debug, Clone)]
pub struct Dump<'a> {
    /// What is dumped, for messages: `the database shop`.
    pub what: &'a str,
    /// Its first bytes; empty if there is no telling.
    pub begins_with: &'a [u8],
    /// How a line near its end begins, after which only comments and psql's own commands come.
    pub last_line: Option<&'a str>,
    /// Fewest bytes that a dump of anything has.
    pub least: u64,
    /// Longest time without a byte.
    pub silence: Duration,
}

/// Looks at a dump while it passes.
pub trait Onlooker: Send {
    /// The next piece of it. Must be quick: the dump waits.
    fn see(&mut self, data: &[u8]);
}

/// Nobody looks.
impl Onlooker for () {
    fn see(&mut self, _: &[u8]) {}
}

/// A dump that is whole.
#[derive(Debug, Clone)]
pub struct Dumped {
    /// Its size in bytes.
    pub bytes: u64,
    /// What the program wrote to its standard error: text of a stranger.
    pub said: String,
}

/// Why there is no dump.
#[derive(Debug, Clone)]
pub struct DumpFault {
    /// What went wrong.
    pub cause: DumpCause,
    /// What the program wrote to its standard error: text of a stranger, and often the real reason.
    pub said: String,
    /// `mariadb-dump of the database shop on db1:3306`
    pub which: String,
}

/// What went wrong with a dump.
#[derive(Debug, Clone)]
pub enum DumpCause {
    /// It was stopped, or the connection it runs over was lost.
    Stopped(JobError),
    /// The program says that it failed.
    Ended(Exit),
    /// What came is not a whole dump, although the program says so.
    NotWhole(String),
    /// Nothing came for too long.
    Silent(Duration),
}

impl DumpFault {
    /// The error of the job, for causes that need no better words.
    pub fn into_error(self) -> JobError {
        let Self { cause, said, which } = self;
        let words = last_words(&said);
        let (code, message) = match cause {
            DumpCause::Stopped(error) => return error,
            DumpCause::Ended(Exit::Code(code)) => (
                ErrorCode::DumpFailed,
                format!("{which} ended with exit code {code}{words}"),
            ),
            DumpCause::Ended(Exit::Signal) => (ErrorCode::DumpFailed, format!("{which} was ended by a signal{words}")),
            DumpCause::NotWhole(why) => (ErrorCode::DumpFailed, format!("{which} is not whole: {why}{words}")),
            DumpCause::Silent(silence) => (
                ErrorCode::TransferInterrupted,
                format!("{which} sent nothing for {} minutes{words}", silence.as_secs() / 60),
            ),
        };
        JobError::new(
            code,
            message,
            "Nothing incomplete was kept. It is tried again by itself; look at the database server's log if it keeps \
             happening.",
        )
    }
}

impl Dump<'_> {
    /// Sends what `running` prints as the file `path`, and shows it to `onlooker`. Only a whole dump is ended as complete; whatever goes
    /// wrong, the program has ended when this returns.
    ///
    /// # Errors
    /// The reason; the backup must fail with it.
    pub async fn send(
        &self,
        mut running: Running,
        path: EntryPath,
        sink: &CaptureSink,
        onlooker: &mut dyn Onlooker,
        cancel: &CancellationToken,
    ) -> Result<Dumped, DumpFault> {
        let which = format!("{} of {} on {}", running.name(), self.what, running.place());
        let mut seen = Seen {
            bytes: 0,
            head: Vec::new(),
            tail: Vec::new(),
            onlooker,
        };
        let pumping = cancel.run_until_cancelled(self.pump(&mut running, path, sink, &mut seen));
        if let Err(cause) = pumping.await.unwrap_or_else(|| Err(DumpCause::Stopped(cancelled()))) {
            let said = running.kill().await;
            return Err(DumpFault { cause, said, which });
        }
        let stopped = |cause, said| DumpFault {
            cause,
            said,
            which: which.clone(),
        };
        let said = running.said();
        // Its output is over, so it has ended, or hangs: then dropping it ends it.
        let waiting = cancel.run_until_cancelled(tokio::time::timeout(self.silence, running.wait()));
        let ended = match waiting.await {
            None => Err(DumpCause::Stopped(cancelled())),
            Some(Err(_)) => Err(DumpCause::Silent(self.silence)),
            Some(Ok(ended)) => ended.map_err(DumpCause::Stopped),
        };
        let Ended { exit, said } = ended.map_err(|cause| stopped(cause, said))?;
        if !exit.success() {
            return Err(stopped(DumpCause::Ended(exit), said));
        }
        if let Err(why) = self.judge(&seen) {
            return Err(stopped(DumpCause::NotWhole(why), said));
        }
        match sink.end(FileEnd::Complete).await {
            Ok(()) => Ok(Dumped {
                bytes: seen.bytes,
                said,
            }),
            Err(error) => Err(stopped(DumpCause::Stopped(error), said)),
        }
    }

    async fn pump(
        &self,
        running: &mut Running,
        path: EntryPath,
        sink: &CaptureSink,
        seen: &mut Seen<'_>,
    ) -> Result<(), DumpCause> {
        sink.stream(path).await.map_err(DumpCause::Stopped)?;
        let Some(output) = &mut running.stdout else {
            return Ok(());
        };
        let mut buffer = BytesMut::new();
        loop {
            if buffer.capacity() < CHUNK / 4 {
                buffer.reserve(CHUNK);
            }
            match tokio::time::timeout(self.silence, output.read_buf(&mut buffer)).await {
                Err(_) => return Err(DumpCause::Silent(self.silence)),
                // How the program ended tells what an error was about.
                Ok(Ok(0) | Err(_)) => return Ok(()),
                Ok(Ok(_)) => {
                    seen.add(&buffer, self.begins_with.len());
                    let data = Captured::Data(buffer.split().freeze());
                    sink.send(data).await.map_err(DumpCause::Stopped)?;
                }
            }
        }
    }

    fn judge(&self, seen: &Seen<'_>) -> Result<(), String> {
        if seen.bytes < self.least {
            return Err(format!("only {} bytes came", seen.bytes));
        }
        if seen.head != self.begins_with {
            return Err("it does not begin as such a dump does".into());
        }
        match self.last_line {
            Some(last) if !ends_with_line(&seen.tail, last) => Err(format!("its end lacks the line \"{last}\"")),
            _ => Ok(()),
        }
    }
}

/// What is remembered of a dump.
struct Seen<'a> {
    bytes: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
    onlooker: &'a mut dyn Onlooker,
}

impl Seen<'_> {
    fn add(&mut self, data: &[u8], head: usize) {
        self.onlooker.see(data);
        self.bytes += data.len() as u64;
        let missing = head.saturating_sub(self.head.len()).min(data.len());
        self.head.extend_from_slice(&data[..missing]);
        self.tail.extend_from_slice(&data[data.len().saturating_sub(TAIL)..]);
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
    }
}

/// True if a line of `tail` begins with `last` and only empty lines, comments and psql's own commands follow.
fn ends_with_line(tail: &[u8], last: &str) -> bool {
    let lines = tail.split(|&b| b == b'\n').rev();
    let aside = |line: &&[u8]| line.is_empty() || line.starts_with(b"--") || line.starts_with(b"\\");
    lines.take_while(aside).any(|line| line.starts_with(last.as_bytes()))
}
