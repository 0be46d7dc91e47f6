//! What a server answers: a code and lines of text, bounded.

use std::{fmt, time::Duration};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use super::error::FtpError;
use crate::domain::escaped::escape;

/// Most bytes of one answer. The longest honest ones are lists of features, and paths.
const MAX_REPLY: usize = 64 * 1024;

/// Most characters of a server's words that are shown.
const MAX_SHOWN: usize = 200;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// The lines, without code and line end.
    pub lines: Vec<Vec<u8>>,
}

impl Reply {
    /// True for 1xx: the server has begun, and another answer follows.
    pub fn is_preliminary(&self) -> bool {
        self.code / 100 == 1
    }

    /// True for 2xx.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// True if the server does not know the command, or does not do what it asks.
    pub fn is_unsupported(&self) -> bool {
        matches!(self.code, 500 | 501 | 502 | 503 | 504 | 522)
    }

    /// True if any of these words (lower case) is in the text.
    pub fn says(&self, words: &[&str]) -> bool {
        let text = self.text().to_ascii_lowercase();
        words.iter().any(|word| text.contains(word))
    }

    /// This answer if it is positive, else the refusal.
    pub fn positive(self) -> Result<Self, FtpError> {
        match self.is_positive() {
            true => Ok(self),
            false => Err(FtpError::Refused(self)),
        }
    }

    /// The last line: single answers have no other.
    pub fn last(&self) -> &[u8] {
        self.lines.last().map_or(b"", Vec::as_slice)
    }

    fn text(&self) -> String {
        escape(&self.lines.join(&b' '))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.text().chars().take(MAX_SHOWN).collect();
        write!(f, "{} {}", self.code, text.trim())
    }
}

/// Reads one answer.
///
/// # Errors
/// `Stalled` after `patience`, `Lost` at the end of the stream or if the server says that it ends the
/// conversation (421), `Protocol` for what is no answer.
pub async fn read(stream: &mut (impl AsyncBufRead + Unpin), patience: Duration) -> Result<Reply, FtpError> {
    let reading = tokio::time::timeout(patience, read_whole(stream));
    let reply = reading.await.map_err(|_| FtpError::Stalled(patience))??;
    match reply.code {
        421 => Err(FtpError::Lost(reply.to_string())),
        _ => Ok(reply),
    }
}

async fn read_whole(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Reply, FtpError> {
    let mut room = MAX_REPLY;
    let first = line(stream, &mut room).await?;
    let (code, rest) = first.split_at_checked(3).unwrap_or((&first, b""));
    let number = code.iter().all(u8::is_ascii_digit) && code.len() == 3;
    let parsed = number
        .then(|| std::str::from_utf8(code).ok()?.parse::<u16>().ok())
        .flatten();
    let Some(parsed) = parsed.filter(|code| (100..700).contains(code)) else {
        return Err(FtpError::Protocol(format!("it answers \"{}\"", shown(&first))));
    };
    let mut lines = vec![rest.get(1..).unwrap_or_default().to_vec()];
    if rest.first() == Some(&b'-') {
        loop {
            let next = line(stream, &mut room).await?;
            let tail = next.strip_prefix(code);
            if let Some(last) = tail.filter(|tail| matches!(tail.first(), None | Some(b' '))) {
                lines.push(last.get(1..).unwrap_or_default().to_vec());
                break;
            }
            lines.push(next);
        }
    }
    Ok(Reply { code: parsed, lines })
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin), room: &mut usize) -> Result<Vec<u8>, FtpError> {
    let mut line = Vec::new();
    let read = stream.take(*room as u64).read_until(b'\n', &mut line).await?;
    *room -= read;
    if line.pop() != Some(b'\n') {
        return Err(match *room {
            0 => FtpError::Limit(format!("an answer of more than {MAX_REPLY} bytes")),
            _ => FtpError::Lost("end of the stream".into()),
        });
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    line.drain(..negotiation(&line));
    Ok(line)
}

/// How much of the beginning of a line is Telnet, on which FTP stands: `IAC`, a command, and for `WILL`, `WONT`,
/// `DO` and `DONT` an option.
fn negotiation(line: &[u8]) -> usize {
    let mut at = 0;
    loop {
        at += match line[at..] {
            [255, 251..=254, _, ..] => 3,
            [255, 240..=250, ..] => 2,
            _ => return at,
        };
    }
}

fn shown(bytes: &[u8]) -> String {
    escape(bytes).chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(mut bytes: &[u8]) -> Result<Reply, FtpError> {
        read(&mut bytes, Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn one_line_and_several() {
        let reply = read_all(b"220 hello \xff\r\n").await.unwrap();
        assert_eq!((reply.code, reply.last()), (220, &b"hello \xff"[..]));
        let reply = read_all(b"211-Features:\r\n MDTM\r\n211-x\r\n211 End\r\n")
            .await
            .unwrap();
        assert_eq!(reply.lines, [&b"Features:"[..], b" MDTM", b"211-x", b"End"]);
        assert_eq!(read_all(b"226\n").await.unwrap().last(), b"");
        assert_eq!(read_all(b"\xff\xfc\x01\xff\xf1200 ok\r\n").await.unwrap().code, 200);
    }

    #[tokio::test]
    async fn what_is_no_answer() {
        for text in [
            &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
            b"\r\n",
            b"22\r\n",
            b"999 x\r\n",
            b"2\xc3\xa9 x\r\n",
        ] {
            assert!(matches!(read_all(text).await, Err(FtpError::Protocol(_))), "{text:?}");
        }
        assert!(matches!(read_all(b"220-never ends\r\n").await, Err(FtpError::Lost(_))));
        assert!(matches!(read_all(b"421 Timeout.\r\n").await, Err(FtpError::Lost(_))));
        let endless = [b"220-".to_vec(), vec![b'a'; MAX_REPLY]].concat();
        assert!(matches!(read_all(&endless).await, Err(FtpError::Limit(_))));
        let endless = b"220-a\r\n".repeat(MAX_REPLY);
        assert!(matches!(read_all(&endless).await, Err(FtpError::Limit(_))));
    }
}
