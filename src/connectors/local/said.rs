//! What a child says on its standard error, in bounded memory: a hostile server can make it say a lot.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::{Notify, futures::Notified},
};

/// Bytes kept of the beginning (banner, negotiation, login).
const HEAD: usize = 48 * 1024;
/// Bytes kept of the end (why it stopped).
const TAIL: usize = 8 * 1024;

/// The text a child wrote to its standard error; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    text: Arc<Mutex<Kept>>,
    grown: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Kept {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Said {
    /// Reads `stderr` to its end, so that the child never blocks on it.
    pub(crate) async fn collect(self, mut stderr: impl AsyncRead + Unpin) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
            self.push(&buffer[..count]);
            self.grown.notify_waiters();
        }
    }

    /// Resolves when more is written after this call.
    pub(crate) fn grown(&self) -> Notified<'_> {
        // `notify_waiters` reaches it from its creation on, polled or not.
        self.grown.notified()
    }

    fn push(&self, bytes: &[u8]) {
        let mut kept = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let room = HEAD - kept.head.len();
        let (first, rest) = bytes.split_at(bytes.len().min(room));
        kept.head.extend_from_slice(first);
        kept.tail.extend_from_slice(rest);
        let surplus = kept.tail.len().saturating_sub(TAIL);
        kept.tail.drain(..surplus);
    }

    /// Beginning and end of what was written so far.
    pub(crate) fn text(&self) -> String {
        let kept = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = kept.head.clone();
        if !kept.tail.is_empty() {
            all.push(b'\n');
            all.extend_from_slice(&kept.tail);
        }
        String::from_utf8_lossy(&all).into_owned()
    }
}

/// The end of what was said, as an appendix to a message: `: ` and its last line, at most 300 characters without
/// control characters; empty if nothing was said.
pub(crate) fn last_words(said: &str) -> String {
    let printable = |line: &str| -> String { line.chars().filter(|c| !c.is_control()).take(300).collect() };
    let lines = said.lines().rev().map(|line| printable(line.trim()));
    match lines.into_iter().find(|line| !line.is_empty()) {
        Some(line) => format!(": {line}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_the_beginning_and_the_end() {
        let log = Said::default();
        let mut flood = b"first line\n".to_vec();
        flood.resize(10 * 1024 * 1024, b'x');
        flood.extend_from_slice(b"\nlast line\n");
        log.clone().collect(flood.as_slice()).await;
        let text = log.text();
        assert!(text.len() <= HEAD + TAIL + 1);
        assert!(text.starts_with("first line\n") && text.ends_with("\nlast line\n"));
    }
}
