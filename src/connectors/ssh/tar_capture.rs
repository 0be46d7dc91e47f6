//! Runs the source's tar and turns its stream, its messages and its exit code into a capture.

use std::{collections::VecDeque, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use super::{
    capture::cancelled,
    not_carried,
    remote_tar::{RemoteTar, TarFlavour},
    session::{RemoteChild, SshSession},
    tar_filter::TarFilter,
    tar_messages::{self, Message},
    tar_roots, tar_script,
};
use crate::{
    connectors::{CHUNK, CaptureReport, CaptureSink, local::Exit, roots::Roots, tar_stream::TarError},
    domain::{
        entry::{Captured, ProblemKind},
        error_code::ErrorCode,
        escaped::escape,
        exclude::ExcludeSet,
        job::JobError,
    },
};

/// A tar may search long for something to store, but not for ever.
const SILENCE: Duration = Duration::from_secs(600);
/// Longest line of messages kept whole; longer than any path.
const MAX_LINE: usize = 64 * 1024;
/// Lines read and not yet looked at.
const LINES: usize = 64;
/// Messages waiting while a file is passed on; a tar has few words for one file.
const MAX_WAITING: usize = 4096;
/// Last words kept for an error.
const LAST_WORDS: usize = 5;

/// What is to be read.
pub struct TarSource<'a> {
    pub session: &'a SshSession,
    pub tar: &'a RemoteTar,
    pub includes: &'a [String],
    pub exclude: &'a [String],
    pub excludes: &'a ExcludeSet,
}

/// Captures with the source's tar. When `cancel` fires, or anything goes wrong, the remote process is
/// ended before this returns.
///
/// # Errors
/// `path_not_found` and `permission_denied` for a configured path, before anything is sent;
/// `transfer_interrupted`, `protocol_error` and `source_limit` later.
pub async fn capture(
    source: &TarSource<'_>,
    sink: &CaptureSink,
    cancel: &CancellationToken,
) -> Result<CaptureReport, JobError> {
    let looking = cancel.run_until_cancelled(tar_roots::resolve(source.session, source.includes));
    let (login_dir, resolved) = looking.await.ok_or_else(cancelled)??;
    let mut roots = Roots::plan(&resolved, &login_dir, source.excludes).without_pseudo();
    for note in &roots.notes {
        sink.send(Captured::Problem(note.clone())).await?;
    }
    // A file whose first name is excluded here but not there is known only by that name; its other
    // names are asked for once more, on their own.
    while !roots.paths.is_empty() {
        let orphans = run(source, &roots, sink, cancel).await?;
        let again = Roots {
            paths: orphans,
            ..Roots::default()
        };
        if again.paths == roots.paths {
            break;
        }
        roots = again;
    }
    Ok(CaptureReport {
        transport: "ssh-tar".into(),
        not_carried: not_carried::by_tar(source.tar.flavour),
        site: None,
    })
}

/// One run of tar; returns names that could not be stored as the hard links they are.
async fn run(
    source: &TarSource<'_>,
    roots: &Roots,
    sink: &CaptureSink,
    cancel: &CancellationToken,
) -> Result<Vec<Vec<u8>>, JobError> {
    let script = tar_script::tar(source.tar, roots, source.exclude);
    let starting = cancel.run_until_cancelled(source.session.exec("exec sh"));
    let mut child = starting.await.ok_or_else(cancelled)??;
    let mut reading = Reading {
        source,
        sink,
        filter: TarFilter::new(source.excludes, roots),
        explained: 0,
        fatal: None,
        last_words: VecDeque::new(),
    };
    let streamed = cancel.run_until_cancelled(reading.stream(&mut child, &script)).await;
    if let Err(error) = streamed.unwrap_or_else(|| Err(cancelled())) {
        // The first error is the one that counts; if the process cannot be ended, its server is gone.
        let _ = child.kill().await;
        return Err(error);
    }
    let exit = child.wait().await?;
    reading.judge(exit)?;
    let Reading { filter, .. } = reading;
    filter.finish(sink).await
}

struct Reading<'a> {
    source: &'a TarSource<'a>,
    sink: &'a CaptureSink,
    filter: TarFilter<'a>,
    /// Problems told that explain an exit code other than 0.
    explained: u64,
    fatal: Option<String>,
    last_words: VecDeque<String>,
}

impl Reading<'_> {
    /// Reads both streams to their end.
    async fn stream(&mut self, child: &mut RemoteChild, script: &[u8]) -> Result<(), JobError> {
        let (Some(mut stdin), Some(mut stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(self.source.session.interruption());
        };
        let (lines, mut said) = mpsc::channel(LINES);
        let write = async move {
            // A shell that does not read it all writes no whole tar, and that is told. Dropping the
            // stream is what ends the script.
            let _ = stdin.write_all(script).await;
            drop(stdin);
            Ok(())
        };
        let listen = async {
            read_lines(stderr, lines).await;
            Ok(())
        };
        let pump = self.pump(&mut stdout, &mut said);
        tokio::try_join!(write, listen, pump).map(|_| ())
    }

    /// Passes on the stream, and between files the messages.
    async fn pump(
        &mut self,
        stdout: &mut (impl AsyncRead + Unpin),
        said: &mut mpsc::Receiver<Vec<u8>>,
    ) -> Result<(), JobError> {
        let mut buffer = BytesMut::new();
        let mut waiting = VecDeque::new();
        let (mut open, mut listening) = (true, true);
        while open || listening {
            if buffer.capacity() < CHUNK / 4 {
                buffer.reserve(CHUNK);
            }
            tokio::select! {
                line = said.recv(), if listening => match line {
                    None => listening = false,
                    Some(line) if waiting.len() < MAX_WAITING => waiting.push_back(line),
                    Some(_) => {
                        let text = format!("the tar on {} prints messages without end", self.source.session.place());
                        return Err(JobError::new(ErrorCode::SourceLimit, text, "Look at the server's tar."));
                    }
                },
                read = tokio::time::timeout(SILENCE, stdout.read_buf(&mut buffer)), if open => match read {
                    Err(_) => return Err(self.silent()),
                    Ok(Ok(0) | Err(_)) => open = false,
                    Ok(Ok(_)) => {
                        self.filter.feed(buffer.split().freeze());
                        let passed = self.filter.pass(self.sink).await;
                        passed.map_err(|error| error.into_job_error(self.source.session.place()))?;
                    }
                },
            }
            if !self.filter.in_file() {
                for line in waiting.drain(..) {
                    self.message(&line).await?;
                }
            }
        }
        // Only a stream cut short ends inside a file; what was said may be why.
        for line in waiting {
            self.remember(tar_messages::read(self.source.tar.flavour, &line));
        }
        Ok(())
    }

    async fn message(&mut self, line: &[u8]) -> Result<(), JobError> {
        let messages = tar_messages::read(self.source.tar.flavour, line);
        for message in &messages {
            if let Message::About { kind, path, text } = message
                && !self.filter.leaves_out(path)
            {
                self.sink.problem(*kind, path, text.as_str()).await?;
            }
        }
        self.remember(messages);
        Ok(())
    }

    fn remember(&mut self, messages: Vec<Message>) {
        for message in messages {
            let words = match message {
                Message::Benign => continue,
                Message::About { kind, path, text } => {
                    if kind != ProblemKind::Note {
                        self.explained += 1;
                    }
                    format!("{}: {text}", escape(&path))
                }
                Message::Fatal(text) => self.fatal.insert(text).clone(),
                Message::Noise(text) => text,
            };
            if self.last_words.len() == LAST_WORDS {
                self.last_words.pop_front();
            }
            self.last_words.push_back(words);
        }
    }

    /// Whether what came is all there is.
    fn judge(&self, exit: Exit) -> Result<(), JobError> {
        self.filter
            .check_end()
            .map_err(|error| self.incomplete(&format!("{error}{}", ended(exit))))?;
        match exit {
            Exit::Code(0) => Ok(()),
            // GNU tar: files changed or vanished, nothing worse.
            Exit::Code(1) if self.source.tar.flavour == TarFlavour::Gnu && self.fatal.is_none() => Ok(()),
            Exit::Code(_) if self.explained > 0 && self.fatal.is_none() => Ok(()),
            _ => Err(self.incomplete(&format!("the stream looks whole{}", ended(exit)))),
        }
    }

    fn incomplete(&self, what: &str) -> JobError {
        let words = match (&self.fatal, self.last_words.back()) {
            (Some(fatal), _) => format!(": {fatal}"),
            (None, Some(words)) => format!(": {words}"),
            (None, None) => String::new(),
        };
        let place = self.source.session.place();
        JobError::new(
            ErrorCode::TransferInterrupted,
            format!("{} on {place} did not finish ({what}){words}", self.source.tar),
            "Nothing incomplete was kept. It is tried again by itself; if it keeps happening, try the source kind sftp.",
        )
    }

    fn silent(&self) -> JobError {
        JobError::new(
            ErrorCode::TransferInterrupted,
            format!(
                "tar on {} sent nothing for {} minutes",
                self.source.session.place(),
                SILENCE.as_secs() / 60
            ),
            "A hanging disk or network share on the server can cause this. It is tried again by itself.",
        )
    }
}

fn ended(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!(", exit code {code}"),
        Exit::Signal => ", ended by a signal".to_owned(),
    }
}

/// Lines of the remote's standard error, cut at [`MAX_LINE`].
async fn read_lines(stderr: impl AsyncRead + Unpin, lines: mpsc::Sender<Vec<u8>>) {
    let mut stderr = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        let limited = (&mut stderr).take(MAX_LINE as u64).read_until(b'\n', &mut line).await;
        if !matches!(limited, Ok(1..)) {
            return;
        }
        if line.ends_with(b"\n") {
            line.pop();
        }
        if lines.send(line).await.is_err() {
            return;
        }
    }
}

/// What ends a capture while its stream is read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The stream itself.
    #[error("{0}")]
    Tar(#[from] TarError),
    /// A name no honest tar would send.
    #[error("the tar names \"{0}\", which leaves the place it is restored to")]
    Escapes(String),
    /// Whoever takes the data stopped.
    #[error("{0}")]
    Stopped(#[from] JobError),
}

impl StreamError {
    fn into_job_error(self, place: &str) -> JobError {
        let (code, hint) = match &self {
            Self::Stopped(error) => return error.clone(),
            Self::Tar(TarError::Limit(_)) => (ErrorCode::SourceLimit, "Exclude that file."),
            Self::Tar(TarError::Truncated(_)) => (ErrorCode::TransferInterrupted, "It is tried again by itself."),
            Self::Tar(TarError::Damaged(_)) => (
                ErrorCode::ProtocolError,
                "Something on the server may print into the stream; or try the source kind sftp.",
            ),
            Self::Escapes(_) => (
                ErrorCode::ProtocolError,
                "The server is faulty or not to be trusted; nothing was kept.",
            ),
        };
        JobError::new(code, format!("from {place}: {self}"), hint)
    }
}
