//! Asks for content, in the order it will be stored and never more than a window ahead.
//!
//! Two stages before the one that hands on: files are opened some way ahead of being read, and read
//! some way ahead of being handed on. Reads are issued strictly in order, so the window is always
//! held by what is handed on next, and a later file can never starve an earlier one.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{
    WINDOW,
    attributes::{Attributes, FileType},
    client::SftpClient,
    error::SftpError,
    replies::Pending,
    walk::Found,
};
use crate::{
    connectors::tar_stream::MAX_FILE,
    domain::{entry::ProblemKind, escaped::escape},
};

/// Found things with their first request on its way.
#[derive(Debug)]
pub enum Opened {
    Problem(ProblemKind, Vec<u8>, String),
    Directory(Vec<u8>, Attributes),
    Symlink(Vec<u8>, Attributes, Pending),
    Empty(Vec<u8>, Attributes),
    File(Vec<u8>, Attributes, u64, Pending),
}

/// What is handed on, with everything asked for that it needs.
#[derive(Debug)]
pub enum Piece {
    Problem(ProblemKind, Vec<u8>, String),
    Directory(Vec<u8>, Attributes),
    Symlink(Vec<u8>, Attributes, Pending),
    Empty(Vec<u8>, Attributes),
    /// A file that fits one read; one byte more was asked for, to see that it ends there.
    Small(Vec<u8>, Attributes, OpenFile, Part),
    /// A larger file begins; its parts follow.
    Start(Vec<u8>, Attributes, u64, OpenFile),
    /// The next part of the file begun last.
    Part(Part),
    /// All parts were asked for; the attributes after the last.
    Finish(Pending),
}

/// A file open on the server.
#[derive(Debug)]
pub struct OpenFile {
    pub handle: Bytes,
    /// Set by the reader when the rest is not wanted.
    pub abandoned: Arc<AtomicBool>,
}

/// A stretch of a file that was asked for.
#[derive(Debug)]
pub struct Part {
    pub offset: u64,
    pub length: u32,
    pub data: Pending,
    /// Its share of the window.
    pub window: OwnedSemaphorePermit,
}

/// Opens files as they are found.
pub async fn open(
    client: &SftpClient,
    mut found: mpsc::Receiver<Found>,
    opened: mpsc::Sender<Opened>,
) -> Result<(), SftpError> {
    while let Some(found) = found.recv().await {
        let next = match found {
            Found::Problem { kind, path, message } => Opened::Problem(kind, path, message),
            Found::Entry {
                path,
                attributes,
                file_type,
            } => match file_type {
                FileType::Directory => Opened::Directory(path, attributes),
                FileType::Special(what) => {
                    let message = format!("{what} is not stored");
                    Opened::Problem(ProblemKind::SpecialSkipped, path, message)
                }
                FileType::Symlink => {
                    let target = client.read_link(&path).await?;
                    Opened::Symlink(path, attributes, target)
                }
                FileType::Regular => match attributes.size.unwrap_or(0) {
                    0 => Opened::Empty(path, attributes),
                    size if size > MAX_FILE => {
                        let text = format!(
                            "{} is said to have {size} bytes; at most 16 TiB are accepted",
                            escape(&path)
                        );
                        return Err(SftpError::Limit(text));
                    }
                    size => {
                        let handle = client.open(&path).await?;
                        Opened::File(path, attributes, size, handle)
                    }
                },
            },
        };
        if opened.send(next).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads files as they are opened.
pub async fn read(
    client: &SftpClient,
    mut opened: mpsc::Receiver<Opened>,
    pieces: mpsc::Sender<Piece>,
) -> Result<(), SftpError> {
    let window = Arc::new(Semaphore::new(WINDOW));
    let largest = client.limits().read;
    while let Some(opened) = opened.recv().await {
        let piece = match opened {
            Opened::Problem(kind, path, message) => Piece::Problem(kind, path, message),
            Opened::Directory(path, attributes) => Piece::Directory(path, attributes),
            Opened::Symlink(path, attributes, target) => Piece::Symlink(path, attributes, target),
            Opened::Empty(path, attributes) => Piece::Empty(path, attributes),
            Opened::File(path, attributes, size, handle) => {
                let handle = match handle.handle().await {
                    Ok(handle) => handle,
                    Err(error) => match error.problem() {
                        None => return Err(error),
                        Some(kind) => {
                            let piece = Piece::Problem(kind, path, error.to_string());
                            if pieces.send(piece).await.is_err() {
                                return Ok(());
                            }
                            continue;
                        }
                    },
                };
                let abandoned = Arc::new(AtomicBool::new(false));
                let file = OpenFile { handle, abandoned };
                if size < u64::from(largest) {
                    let part = ask(client, &window, &file.handle, 0, size as u32 + 1).await?;
                    Piece::Small(path, attributes, file, part)
                } else {
                    match read_large(client, &window, &pieces, path, attributes, size, file).await? {
                        None => return Ok(()),
                        Some(finish) => finish,
                    }
                }
            }
        };
        if pieces.send(piece).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Asks for all of a large file; returns its last piece, or nothing if nobody takes them.
async fn read_large(
    client: &SftpClient,
    window: &Arc<Semaphore>,
    pieces: &mpsc::Sender<Piece>,
    path: Vec<u8>,
    attributes: Attributes,
    size: u64,
    file: OpenFile,
) -> Result<Option<Piece>, SftpError> {
    let largest = client.limits().read;
    let (handle, abandoned) = (file.handle.clone(), Arc::clone(&file.abandoned));
    if pieces.send(Piece::Start(path, attributes, size, file)).await.is_err() {
        return Ok(None);
    }
    let mut offset = 0;
    while offset < size && !abandoned.load(Ordering::Relaxed) {
        let length = u32::try_from(size - offset).map_or(largest, |left| left.min(largest));
        let part = ask(client, window, &handle, offset, length).await?;
        if pieces.send(Piece::Part(part)).await.is_err() {
            return Ok(None);
        }
        offset += u64::from(length);
    }
    Ok(Some(Piece::Finish(client.fstat(&handle).await?)))
}

async fn ask(
    client: &SftpClient,
    window: &Arc<Semaphore>,
    handle: &[u8],
    offset: u64,
    length: u32,
) -> Result<Part, SftpError> {
    // The window is never closed, and wider than one read.
    let window = Arc::clone(window).acquire_many_owned(length).await;
    let window = window.map_err(|_| SftpError::Closed)?;
    Ok(Part {
        offset,
        length,
        data: client.read(handle, offset, length).await?,
        window,
    })
}
