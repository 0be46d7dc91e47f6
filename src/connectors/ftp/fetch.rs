//! One file: fetched over as many connections as it takes, and judged at the end.

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::{
    connection::{Connection, Transfer},
    dates,
    error::FtpError,
    listed::{Facts, number},
    reply::Reply,
};
use crate::domain::{
    entry::{FileEnd, Mtime, ProblemKind},
    error_code::ErrorCode,
    job::JobError,
};

/// Bytes of content handed on at a time; a file up to this size is held until it came whole.
const PIECE: usize = 64 * 1024;
/// Bytes beyond the announced size that are read and thrown away before the connection is.
const MOST_EXCESS: u64 = 16 * 1024 * 1024;
/// Tries with a file whose transfer the server itself broke off.
const TRIES: u32 = 3;

/// What comes of a file. First `Begin` or `Problem`; after `Begin` any number of `Data` and one `End`.
#[derive(Debug)]
pub enum Part {
    /// It is there, with this many bytes.
    Begin { size: u64, mtime: Option<Mtime> },
    /// More of it.
    Data(Bytes),
    /// It is over.
    End(FileEnd),
    /// It cannot be had.
    Problem(ProblemKind, String),
    /// The capture cannot go on.
    Failed(FtpError),
}

/// A file to fetch, and how far that is.
#[derive(Debug)]
pub struct Fetch {
    path: Vec<u8>,
    size: Option<u64>,
    mtime: Option<Mtime>,
    exact: bool,
    parts: mpsc::Sender<Part>,
    /// The size that was announced, once it was.
    announced: Option<u64>,
    /// Received and not handed on.
    held: BytesMut,
    received: u64,
    handed_on: u64,
    tries: u32,
    /// The server cannot begin in the middle: what was had is read again and skipped.
    no_restart: bool,
}

impl Fetch {
    /// A file of which a listing told these facts.
    pub fn new(path: Vec<u8>, facts: &Facts, parts: mpsc::Sender<Part>) -> Self {
        Self {
            path,
            size: facts.size,
            mtime: facts.mtime,
            exact: facts.exact,
            parts,
            announced: None,
            held: BytesMut::new(),
            received: 0,
            handed_on: 0,
            tries: 0,
            no_restart: false,
        }
    }

    /// Bytes received so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Tells that the capture cannot go on.
    pub async fn fail(&mut self, error: FtpError) {
        // Nobody listens if the capture is over already.
        let _ = self.parts.send(Part::Failed(error)).await;
    }

    /// Fetches it, or what is missing of it. `Ok(false)` if the connection is of no use afterwards.
    ///
    /// # Errors
    /// Those of the connection: run it again over another one.
    pub async fn run(&mut self, connection: &mut Connection) -> Result<bool, FtpError> {
        loop {
            match self.once(connection).await {
                Ok(Some(in_step)) => return Ok(in_step),
                Ok(None) => {}
                Err(FtpError::Refused(reply)) => {
                    self.refused(connection, &reply).await?;
                    return Ok(true);
                }
                Err(FtpError::Unspeakable) => {
                    let words = FtpError::Unspeakable.to_string();
                    self.send(Part::Problem(ProblemKind::NameRefused, words)).await?;
                    return Ok(true);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One transfer. `None` if another one is needed.
    async fn once(&mut self, connection: &mut Connection) -> Result<Option<bool>, FtpError> {
        let resumes = self.received > 0;
        let mut size = None;
        if connection.features.size && (self.size.is_none() || resumes) {
            size = Some(connection.ask_about("SIZE", &self.path).await?);
        }
        let mut time = None;
        if connection.features.mdtm && (!self.exact || resumes) {
            time = Some(connection.ask_about("MDTM", &self.path).await?);
        }
        if self.is_another(size.as_ref(), time.as_ref(), resumes, connection) {
            if self.announced.is_some() {
                self.end(FileEnd::Changed).await?;
                return Ok(Some(true));
            }
            self.forget();
        }
        let offset = if self.no_restart { 0 } else { self.received };
        let transfer = match connection.start_about("RETR", &self.path, offset).await {
            Err(FtpError::Refused(reply)) if offset > 0 && (reply.is_unsupported() || reply.code == 554) => {
                self.no_restart = true;
                return Ok(None);
            }
            other => other?,
        };
        let again = self.received - offset;
        self.receive(connection, transfer, again).await
    }

    /// Takes in what `SIZE` and `MDTM` say now. True if it is not the file that was begun.
    fn is_another(
        &mut self,
        size: Option<&Reply>,
        time: Option<&Reply>,
        resumes: bool,
        connection: &mut Connection,
    ) -> bool {
        let mut another = false;
        if let Some(reply) = time {
            connection.features.mdtm = !reply.is_unsupported();
            if let Some(now) = dates::exact(reply.last()).filter(|_| reply.code == 213) {
                another |= resumes && self.exact && self.mtime != Some(now);
                (self.mtime, self.exact) = (Some(now), true);
            }
        }
        if let Some(reply) = size {
            connection.features.size = !reply.is_unsupported();
            if let Some(now) = number(reply.last()).filter(|_| reply.code == 213) {
                another |= resumes && self.size != Some(now);
                self.size = Some(now);
            }
        }
        another
    }

    /// Begins anew.
    fn forget(&mut self) {
        self.held.clear();
        self.received = 0;
    }

    /// Takes the data of a transfer, of which the first `again` bytes are here already.
    async fn receive(
        &mut self,
        connection: &mut Connection,
        mut transfer: Transfer,
        mut again: u64,
    ) -> Result<Option<bool>, FtpError> {
        let mut repeated = BytesMut::new();
        while again > 0 {
            repeated.reserve(again.min(PIECE as u64) as usize);
            let count = transfer.read(&mut repeated).await? as u64;
            if count == 0 {
                break;
            }
            if count > again {
                let fresh = repeated.split_off(again as usize);
                self.received += fresh.len() as u64;
                self.held.extend_from_slice(&fresh);
            }
            repeated.clear();
            again = again.saturating_sub(count);
        }
        loop {
            let missing = self.size.unwrap_or_default().saturating_sub(self.received);
            self.held.reserve(missing.clamp(512, PIECE as u64) as usize);
            let count = transfer.read(&mut self.held).await?;
            if count == 0 {
                break;
            }
            self.received += count as u64;
            if self.held.len() >= PIECE && !self.hand_on().await? {
                return Ok(Some(false));
            }
        }
        let reply = connection.finish(transfer).await?;
        if !reply.is_positive() {
            self.tries += 1;
            if self.tries < TRIES {
                return Ok(None);
            }
            self.broken_off(&format!("the server broke the transfer off: {reply}"))
                .await?;
            return Ok(Some(true));
        }
        self.judge(connection).await
    }

    /// Hands on what is held, announcing the file first. False if the file turned out to be endless.
    async fn hand_on(&mut self) -> Result<bool, FtpError> {
        let size = match (self.announced, self.size) {
            (Some(size), _) => size,
            (None, Some(size)) => {
                self.begin(size).await?;
                size
            }
            (None, None) => {
                let words = "the server does not tell its size";
                self.send(Part::Problem(ProblemKind::Unreadable, words.into())).await?;
                return Ok(false);
            }
        };
        let mut data = self.held.split();
        data.truncate((size - self.handed_on).min(data.len() as u64) as usize);
        self.handed_on += data.len() as u64;
        if !data.is_empty() {
            self.send(Part::Data(data.freeze())).await?;
        }
        if self.received > size.saturating_add(MOST_EXCESS) {
            self.end(FileEnd::Changed).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// The server says that this was all. Compares with the size it names.
    async fn judge(&mut self, connection: &mut Connection) -> Result<Option<bool>, FtpError> {
        let expected = self.announced.or(self.size);
        if expected == Some(self.received) {
            self.whole(FileEnd::Complete).await?;
            return Ok(Some(true));
        }
        let mut now = None;
        if connection.features.size {
            let reply = connection.ask_about("SIZE", &self.path).await?;
            now = number::<u64>(reply.last()).filter(|_| reply.code == 213);
        }
        let short = |size: u64| self.received < size;
        if now.is_some_and(short) && expected.is_some_and(short) {
            self.tries += 1;
            if self.tries < TRIES {
                return Ok(None);
            }
            let words = "the server sent less than the size it names, and called it complete";
            self.broken_off(words).await?;
        } else if self.announced.is_some() {
            self.whole(FileEnd::Changed).await?;
        } else {
            if connection.features.mdtm {
                let reply = connection.ask_about("MDTM", &self.path).await?;
                self.mtime = dates::exact(reply.last()).filter(|_| reply.code == 213).or(self.mtime);
            }
            // It changed between listing and reading, and is stored as it is now.
            let settled = now.is_none_or(|now| now == self.received);
            self.size = Some(self.received);
            self.whole(if settled { FileEnd::Complete } else { FileEnd::Changed })
                .await?;
        }
        Ok(Some(true))
    }

    /// Hands on the rest and ends the file.
    async fn whole(&mut self, end: FileEnd) -> Result<(), FtpError> {
        self.hand_on().await?;
        self.end(end).await
    }

    /// The rest cannot be had.
    async fn broken_off(&mut self, why: &str) -> Result<(), FtpError> {
        match self.announced {
            Some(_) => self.whole(FileEnd::Unreadable).await,
            None => self.send(Part::Problem(ProblemKind::Unreadable, why.to_owned())).await,
        }
    }

    /// The server would not give the file. One code stands for "is not there" and for "may not be read".
    async fn refused(&mut self, connection: &mut Connection, reply: &Reply) -> Result<(), FtpError> {
        if self.announced.is_some() {
            return self.end(FileEnd::Unreadable).await;
        }
        let vanished = if reply.says(&["no such", "not found", "not exist"]) {
            true
        } else if reply.says(&["denied", "permission"]) || !connection.features.size {
            false
        } else {
            connection.ask_about("SIZE", &self.path).await?.code == 550
        };
        let kind = if vanished {
            ProblemKind::Vanished
        } else {
            ProblemKind::Unreadable
        };
        self.send(Part::Problem(kind, reply.to_string())).await
    }

    async fn begin(&mut self, size: u64) -> Result<(), FtpError> {
        self.announced = Some(size);
        let mtime = self.mtime;
        self.send(Part::Begin { size, mtime }).await
    }

    async fn end(&mut self, end: FileEnd) -> Result<(), FtpError> {
        self.send(Part::End(end)).await
    }

    async fn send(&mut self, part: Part) -> Result<(), FtpError> {
        self.parts.send(part).await.map_err(|_| {
            FtpError::Stopped(JobError::new(
                ErrorCode::Internal,
                "whoever takes the files stopped",
                "",
            ))
        })
    }
}
