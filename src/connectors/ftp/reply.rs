//! One answer of the server, out of suppaftp's bytes: codes that suppaftp does not know matter too.

use std::fmt;

use super::error::FtpError;
use crate::domain::escaped::escape;

/// Most characters of a server's words that are shown.
const MAX_SHOWN: usize = 200;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// The lines, without line end; the first and the last without code.
    pub lines: Vec<Vec<u8>>,
}

impl Reply {
    /// Reads one answer, of one line or several.
    ///
    /// # Errors
    /// `Lost` if the server says that it ends the conversation (421), `Protocol` for what is no answer.
    pub fn read(body: &[u8]) -> Result<Self, FtpError> {
        let body = body.strip_suffix(b"\n").unwrap_or(body);
        let lines = body.split(|byte| *byte == b'\n');
        let mut lines: Vec<_> = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
        let last = lines.len() - 1;
        let code = code(lines[0]).filter(|first| code(lines[last]) == Some(*first));
        let Some(code) = code else {
            return Err(FtpError::Protocol(format!("it answers \"{}\"", shown(body))));
        };
        lines[0] = lines[0].get(4..).unwrap_or_default();
        if last > 0 {
            lines[last] = lines[last].get(4..).unwrap_or_default();
        }
        let lines = lines.into_iter().map(<[u8]>::to_vec).collect();
        let reply = Self { code, lines };
        match code {
            421 => Err(FtpError::Lost(reply.to_string())),
            _ => Ok(reply),
        }
    }

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

fn code(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let code = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (100..700).contains(&code).then_some(code)
}

fn shown(bytes: &[u8]) -> String {
    escape(bytes).chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_and_several() {
        let reply = Reply::read(b"220 hello \xff\r\n").unwrap();
        assert_eq!((reply.code, reply.last()), (220, &b"hello \xff"[..]));
        let reply = Reply::read(b"211-Features:\r\n MDTM\r\n211-x\r\n211 End\r\n").unwrap();
        assert_eq!(reply.lines, [&b"Features:"[..], b" MDTM", b"211-x", b"End"]);
        assert_eq!(Reply::read(b"226 \n").unwrap().last(), b"");
        assert_eq!(Reply::read(b"522 session reuse required").unwrap().code, 522);
    }

    #[test]
    fn what_is_no_answer() {
        for text in [
            &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
            b"\r\n",
            b"",
            b"22\r\n",
            b"999 x\r\n",
            b"2\xc3\xa9 x\r\n",
            b"220-a\r\n230 b\r\n",
        ] {
            assert!(matches!(Reply::read(text), Err(FtpError::Protocol(_))), "{text:?}");
        }
        assert!(matches!(Reply::read(b"421 Timeout.\r\n"), Err(FtpError::Lost(_))));
    }
}
