//! The body of a download: decrypted on a blocking thread, handed to the connection piece by piece.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::Stream;
use secrecy::SecretString;
use tokio::sync::mpsc;

use super::{connection::Connection, ledger::Delivery};
use crate::crypto::age_keys;

/// One piece, in bytes: a chunk of age.
const PIECE: usize = 64 * 1024;

/// Pieces that may wait for the connection.
const DEPTH: usize = 4;

/// A sealed export, open for its token.
pub struct Opened(age::stream::StreamReader<BufReader<File>>);

impl Opened {
    /// Opens the export at `path` with the key that follows from `token`.
    pub fn open(path: &Path, token: &SecretString) -> io::Result<Self> {
        let file = BufReader::with_capacity(PIECE + 16, File::open(path)?);
        let identity = age_keys::export_identity(token);
        let decryptor = age::Decryptor::new_buffered(file).map_err(io::Error::other)?;
        let reader = decryptor
            .decrypt(std::iter::once(&identity as &dyn age::Identity))
            .map_err(io::Error::other)?;
        Ok(Self(reader))
    }

    /// Reads `length` bytes from `first` on and sends them off until nobody wants them any more.
    fn send(mut self, first: u64, mut length: u64, pieces: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(first))?;
        while length > 0 {
            let mut piece = vec![0; usize::try_from(length).unwrap_or(PIECE).min(PIECE)];
            let read = self.0.read(&mut piece)?;
            if read == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the export is cut short"));
            }
            piece.truncate(read);
            length -= read as u64;
            if pieces.blocking_send(Ok(piece.into())).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The bytes of one answer.
pub struct Body {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
    delivery: Delivery,
    connection: Option<Connection>,
    /// Called once if this answer completes the download.
    complete: Option<Box<dyn FnOnce(super::connection::Afterwards) + Send>>,
    superseded: Pin<Box<tokio_util::sync::WaitForCancellationFutureOwned>>,
}

impl Body {
    /// Sends `length` bytes of `opened` from `first` on.
    pub fn new(
        opened: Opened,
        first: u64,
        length: u64,
        delivery: Delivery,
        connection: Connection,
        complete: impl FnOnce(super::connection::Afterwards) + Send + 'static,
    ) -> Self {
        let (sender, pieces) = mpsc::channel(DEPTH);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = opened.send(first, length, &sender) {
                // The connection may be gone already.
                let _ = sender.blocking_send(Err(error));
            }
        });
        let superseded = Box::pin(delivery.superseded.clone().cancelled_owned());
        Self {
            pieces,
            left: length,
            delivery,
            connection: Some(connection),
            complete: Some(Box::new(complete)),
            superseded,
        }
    }
}

impl Stream for Body {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.superseded.as_mut().poll(cx).is_ready() {
            let newer = io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "a newer request for the same export came",
            );
            return Poll::Ready(Some(Err(newer)));
        }
        let polled = self.pieces.poll_recv(cx);
        if let Poll::Ready(Some(Ok(piece))) = &polled {
            let length = piece.len() as u64;
            self.left -= length;
            self.delivery.sent(length);
            if self.left == 0
                && let (Some(connection), Some(complete)) = (self.connection.take(), self.complete.take())
            {
                let afterwards = connection.last_byte_sent();
                if self.delivery.handed_over(&afterwards) {
                    complete(afterwards);
                }
            }
        }
        polled
    }
}
