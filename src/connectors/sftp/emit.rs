//! Hands on what was asked for, in order, and judges whether each file came whole.

use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::{
    attributes::Attributes,
    client::SftpClient,
    error::SftpError,
    fetch::{OpenFile, Part, Piece},
};
use crate::{
    connectors::CaptureSink,
    domain::entry::{Captured, Entry, EntryKind, EntryPath, FileEnd, MAX_PATH, ProblemKind},
};

/// The last stage.
pub struct Emit<'a> {
    pub client: &'a SftpClient,
    pub sink: &'a CaptureSink,
}

/// What came for one part.
struct Came {
    data: Bytes,
    /// Nothing, or why there is no more.
    stopped: Option<Stop>,
}

enum Stop {
    End,
    Refused(SftpError),
}

impl Emit<'_> {
    /// Hands on every piece.
    ///
    /// # Errors
    /// Those that end the capture.
    pub async fn run(&self, mut pieces: mpsc::Receiver<Piece>) -> Result<(), SftpError> {
        while let Some(piece) = pieces.recv().await {
            match piece {
                Piece::Problem(kind, path, message) => self.sink.problem(kind, &path, message).await?,
                Piece::Directory(path, attributes) => self.entry(&path, EntryKind::Directory, &attributes).await?,
                Piece::Empty(path, attributes) => {
                    self.entry(&path, EntryKind::File { size: 0 }, &attributes).await?;
                    self.sink.end(FileEnd::Complete).await?;
                }
                Piece::Symlink(path, attributes, target) => match target.one_name().await {
                    Ok(target) => self.symlink(&path, &attributes, target).await?,
                    Err(error) => self.refused(&path, error).await?,
                },
                Piece::Small(path, attributes, file, part) => self.small(path, attributes, file, part).await?,
                Piece::Start(path, attributes, size, file) => {
                    self.large(&path, attributes, size, file, &mut pieces).await?;
                }
                // Parts are consumed by `large`, and after it only by mistake.
                Piece::Part(_) | Piece::Finish(_) => {}
            }
        }
        Ok(())
    }

    async fn entry(&self, path: &[u8], kind: EntryKind, attributes: &Attributes) -> Result<(), SftpError> {
        let clean = match EntryPath::new(path) {
            Ok(clean) => clean,
            // The walk lets no such path through.
            Err(error) => return Err(SftpError::Protocol(format!("an unusable path: {error}"))),
        };
        let (uid, gid) = attributes.owner.unwrap_or((0, 0));
        let entry = Entry {
            path: clean,
            kind,
            mode: attributes.mode(),
            uid: u64::from(uid),
            gid: u64::from(gid),
            mtime: attributes.mtime(),
            pax: Vec::new(),
        };
        Ok(self.sink.entry(entry).await?)
    }

    async fn symlink(&self, path: &[u8], attributes: &Attributes, target: Bytes) -> Result<(), SftpError> {
        if target.is_empty() || target.contains(&0) || target.len() > MAX_PATH {
            let text = "the link's target is unusable";
            return Ok(self.sink.problem(ProblemKind::NameRefused, path, text).await?);
        }
        let target = target.to_vec();
        self.entry(path, EntryKind::Symlink { target }, attributes).await
    }

    async fn refused(&self, path: &[u8], error: SftpError) -> Result<(), SftpError> {
        match error.problem() {
            Some(kind) => Ok(self.sink.problem(kind, path, error.to_string()).await?),
            None => Err(error),
        }
    }

    /// A file whose content is all here before it is announced: if it was replaced or cut between
    /// listing and reading, it is simply stored as it is now.
    async fn small(&self, path: Vec<u8>, listed: Attributes, file: OpenFile, part: Part) -> Result<(), SftpError> {
        let wanted = part.length as usize - 1;
        let came = self.part(&file, part, wanted).await?;
        if let Some(Stop::Refused(error)) = came.stopped {
            self.client.close(&file.handle).await?;
            return self.refused(&path, error).await;
        }
        let (data, mut attributes, mut end) = (came.data, listed, FileEnd::Complete);
        if data.len() != wanted {
            end = match self.client.fstat(&file.handle).await?.attributes().await {
                Ok(now) if now.size == Some(data.len() as u64) => {
                    attributes = Attributes {
                        permissions: listed.permissions,
                        ..now
                    };
                    FileEnd::Complete
                }
                Ok(_) => FileEnd::Changed,
                Err(error) if error.code().is_some() => FileEnd::Changed,
                Err(error) => return Err(error),
            };
        }
        self.client.close(&file.handle).await?;
        let size = data.len() as u64;
        self.entry(&path, EntryKind::File { size }, &attributes).await?;
        if size > 0 {
            self.sink.send(Captured::Data(data)).await?;
        }
        Ok(self.sink.end(end).await?)
    }

    async fn large(
        &self,
        path: &[u8],
        listed: Attributes,
        size: u64,
        file: OpenFile,
        pieces: &mut mpsc::Receiver<Piece>,
    ) -> Result<(), SftpError> {
        self.entry(path, EntryKind::File { size }, &listed).await?;
        let mut end = FileEnd::Complete;
        let after = loop {
            match pieces.recv().await {
                Some(Piece::Part(part)) if end == FileEnd::Complete => {
                    let length = part.length as usize;
                    let came = self.part(&file, part, length).await?;
                    if !came.data.is_empty() {
                        self.sink.send(Captured::Data(came.data)).await?;
                    }
                    end = match came.stopped {
                        None => FileEnd::Complete,
                        Some(Stop::End) => FileEnd::Changed,
                        Some(Stop::Refused(_)) => FileEnd::Unreadable,
                    };
                    if end != FileEnd::Complete {
                        file.abandoned.store(true, Ordering::Relaxed);
                    }
                }
                Some(Piece::Finish(after)) => break after.attributes().await,
                Some(_) => {}
                // The stage before ended with the error that counts.
                None => return Err(SftpError::Closed),
            }
        };
        self.client.close(&file.handle).await?;
        match after {
            Ok(now) if end == FileEnd::Complete && (now.size != Some(size) || now.mtime != listed.mtime) => {
                end = FileEnd::Changed;
            }
            Err(error) if error.code().is_none() => return Err(error),
            _ => {}
        }
        Ok(self.sink.end(end).await?)
    }

    /// Waits for a part; asks again until `enough` bytes are there.
    async fn part(&self, file: &OpenFile, part: Part, enough: usize) -> Result<Came, SftpError> {
        let length = part.length as usize;
        let mut data = match self.answer(part.data.data().await, length)? {
            Ok(data) if data.len() >= enough => return Ok(Came { data, stopped: None }),
            Ok(data) => BytesMut::from(&data[..]),
            Err(stop) => {
                return Ok(Came {
                    data: Bytes::new(),
                    stopped: Some(stop),
                });
            }
        };
        let stopped = loop {
            let (offset, left) = (part.offset + data.len() as u64, length - data.len());
            if data.len() >= enough {
                break None;
            }
            let again = self.client.read(&file.handle, offset, left as u32).await?;
            match self.answer(again.data().await, left)? {
                Ok(more) => data.extend_from_slice(&more),
                Err(stop) => break Some(stop),
            }
        };
        // The window's share is given back only now.
        drop(part.window);
        Ok(Came {
            data: data.freeze(),
            stopped,
        })
    }

    fn answer(&self, answer: Result<Option<Bytes>, SftpError>, asked: usize) -> Result<Result<Bytes, Stop>, SftpError> {
        match answer {
            Ok(Some(data)) if data.is_empty() || data.len() > asked => {
                let text = format!("{} bytes in answer to a read of {asked}", data.len());
                Err(SftpError::Protocol(text))
            }
            Ok(Some(data)) => Ok(Ok(data)),
            Ok(None) => Ok(Err(Stop::End)),
            Err(error) if error.code().is_some() => Ok(Err(Stop::Refused(error))),
            Err(error) => Err(error),
        }
    }
}
