//! What becomes of a connection after the last byte of an answer was handed to it.
//!
//! Bytes given to a socket are not bytes received: the client may be gone, and then it comes back for
//! the rest. A client that read everything closes cleanly, asks for something else, or stays quiet;
//! one that went away leaves a reset. So connections are watched, and a download counts
//! as complete only when its connection did not break.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::watch,
};

/// Quiet after which a connection counts as fine.
const QUIET: Duration = Duration::from_secs(30);

/// What was seen of a connection so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    /// Times the client sent something.
    reads: u64,
    /// The client closed its side in good order, or we did.
    closed: bool,
    /// Reset, or another error.
    broken: bool,
}

/// A watched connection.
pub struct WatchedStream {
    stream: TcpStream,
    seen: watch::Sender<Seen>,
}

/// A look at a connection, for a request's handler.
#[derive(Debug, Clone)]
pub struct Connection(watch::Receiver<Seen>);

/// How a connection stands after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing says that the client did not get everything.
    Fine,
    /// The client went away while bytes may have been under way.
    Broken,
}

impl Connection {
    /// Call when the last byte of an answer was handed over; the result tells how it went.
    pub fn last_byte_sent(&self) -> Afterwards {
        let mut seen = self.0.clone();
        let Seen { reads, closed, .. } = *seen.borrow_and_update();
        Afterwards {
            seen,
            reads,
            too_early: closed,
        }
    }
}

/// A connection after the last byte of an answer.
#[derive(Debug, Clone)]
pub struct Afterwards {
    seen: watch::Receiver<Seen>,
    reads: u64,
    /// The client closed before the last byte was handed over, so it cannot have read it.
    too_early: bool,
}

impl Afterwards {
    /// How it stands right now; a connection that is just quiet is fine.
    pub fn now(&self) -> Fate {
        match self.too_early || self.seen.borrow().broken {
            true => Fate::Broken,
            false => Fate::Fine,
        }
    }

    /// Waits until that is certain: the client said something, closed, went away, or was quiet for long.
    pub async fn settled(mut self) -> Fate {
        let reads = self.reads;
        let settled = self
            .seen
            .wait_for(|seen| seen.broken || seen.closed || seen.reads > reads);
        // An error means that the connection's end was seen before; the last state stands.
        let _ = tokio::time::timeout(QUIET, settled).await;
        self.now()
    }
}

impl WatchedStream {
    /// Watches a connection that was just accepted.
    pub fn new(stream: TcpStream) -> Self {
        let seen = watch::Sender::new(Seen::default());
        Self { stream, seen }
    }

    /// A look at it, for handlers.
    pub fn connection(&self) -> Connection {
        Connection(self.seen.subscribe())
    }

    fn note<T>(&self, result: &Poll<io::Result<T>>) {
        if let Poll::Ready(Err(_)) = result {
            self.seen.send_modify(|seen| seen.broken = true);
        }
    }
}

impl Drop for WatchedStream {
    fn drop(&mut self) {
        self.seen.send_modify(|seen| seen.closed = true);
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.note(&result);
        if let Poll::Ready(Ok(())) = result {
            match buf.filled().len() > before {
                true => self.seen.send_modify(|seen| seen.reads += 1),
                false => self.seen.send_modify(|seen| seen.closed = true),
            }
        }
        result
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, data);
        self.note(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, data);
        self.note(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.note(&result);
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.note(&result);
        result
    }
}
