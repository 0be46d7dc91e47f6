//! A dump on its way from a thread that reads it to a program that loads it.
//!
//! Only a reader that has seen the dump's end says so. A channel that closes without it is a dump that broke off, which no
//! program may take for a whole one.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

/// Pieces that may wait between reader and program.
const DEPTH: usize = 16;

/// Largest piece, in bytes.
const PIECE: usize = 128 * 1024;

enum Item {
    Data(Bytes),
    End,
}

/// The end that a thread writes to, as to a file. Blocks while the program is slower.
#[derive(Debug)]
pub struct Feeder(mpsc::Sender<Item>);

/// The end that [`Load`](super::Load) takes.
#[derive(Debug)]
pub struct Feed {
    items: mpsc::Receiver<Item>,
    /// What was taken out to be looked at.
    first: BytesMut,
    over: bool,
}

/// Both ends.
pub fn feed() -> (Feeder, Feed) {
    let (sender, items) = mpsc::channel(DEPTH);
    let feed = Feed {
        items,
        first: BytesMut::new(),
        over: false,
    };
    (Feeder(sender), feed)
}

impl Feeder {
    /// Says that the dump is whole. Without it, it has broken off.
    ///
    /// # Errors
    /// `BrokenPipe` if the program is gone.
    pub fn finish(self) -> io::Result<()> {
        self.0.blocking_send(Item::End).map_err(|_| gone())
    }
}

impl io::Write for Feeder {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let piece = &data[..data.len().min(PIECE)];
        if !piece.is_empty() {
            let item = Item::Data(Bytes::copy_from_slice(piece));
            self.0.blocking_send(item).map_err(|_| gone())?;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the program that loads the dump has ended")
}

/// The dump broke off.
pub(super) struct BrokenOff;

impl Feed {
    /// The next piece; `None` at the end of a whole dump.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, BrokenOff> {
        if !self.first.is_empty() {
            return Ok(Some(self.first.split().freeze()));
        }
        if self.over {
            return Ok(None);
        }
        match self.items.recv().await {
            Some(Item::Data(data)) => Ok(Some(data)),
            Some(Item::End) => {
                self.over = true;
                Ok(None)
            }
            None => Err(BrokenOff),
        }
    }

    /// Leaves out the first line if it begins with one of `beginnings`, which are shorter than 64 bytes.
    pub async fn without_first_line(&mut self, beginnings: &[&[u8]]) {
        const LONGEST_LINE: usize = 256;
        while !self.first.contains(&b'\n') && self.first.len() < LONGEST_LINE && !self.over {
            match self.items.recv().await {
                Some(Item::Data(data)) => self.first.extend_from_slice(&data),
                Some(Item::End) => self.over = true,
                // Found out when it is read on.
                None => break,
            }
        }
        let line = self.first.iter().position(|&byte| byte == b'\n');
        if let Some(end) = line
            && beginnings.iter().any(|beginning| self.first.starts_with(beginning))
        {
            let _ = self.first.split_to(end + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    async fn read(mut feed: Feed, leave_out: &[&[u8]]) -> Option<Vec<u8>> {
        feed.without_first_line(leave_out).await;
        let mut all = Vec::new();
        loop {
            match feed.next().await {
                Ok(Some(piece)) => all.extend_from_slice(&piece),
                Ok(None) => return Some(all),
                Err(BrokenOff) => return None,
            }
        }
    }

    fn fed(pieces: &'static [&'static str], whole: bool) -> Feed {
        let (mut feeder, feed) = feed();
        std::thread::spawn(move || {
            for piece in pieces {
                feeder.write_all(piece.as_bytes()).unwrap();
            }
            if whole {
                feeder.finish().unwrap();
            }
        });
        feed
    }

    #[tokio::test]
    async fn only_a_dump_that_was_called_whole_is() {
        assert_eq!(read(fed(&["a", "b\nc"], true), &[b"x"]).await.unwrap(), b"ab\nc");
        assert_eq!(read(fed(&["a", "b\nc"], false), &[]).await, None);
        assert_eq!(read(fed(&[], true), &[]).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn the_line_to_leave_out_may_come_in_pieces() {
        let marks: &[&[u8]] = &[b"/*M!", b"/*!9"];
        assert_eq!(
            read(fed(&["/*", "M!99\\- */", "\nrest\n"], true), marks).await.unwrap(),
            b"rest\n"
        );
        assert_eq!(
            read(fed(&["/* M!\nrest\n"], true), marks).await.unwrap(),
            b"/* M!\nrest\n"
        );
        assert_eq!(read(fed(&["/*M!no end"], true), marks).await.unwrap(), b"/*M!no end");
    }
}
