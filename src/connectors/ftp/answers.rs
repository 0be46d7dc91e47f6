//! The lines a server answers in, as suppaftp can read them, one at a time.
//!
//! suppaftp takes any line of three digits and a blank for the end of an answer, although one may stand inside a
//! longer text; it waits for a blank behind a bare code; and it knows no Telnet. Read as they come, such lines
//! would put question and answer out of step, or end in waiting. What is too long for a line is passed on as it
//! is: suppaftp bounds the answer as a whole.

use bytes::{Buf, BytesMut};

/// Bytes that are held while their line is not complete. Honest lines are paths and sentences.
const MAX_LINE: usize = 8 * 1024;

/// What came and was not handed on.
#[derive(Debug, Default)]
pub struct Answers {
    /// Where more is put.
    pub raw: BytesMut,
    /// The code of the answer of several lines that goes on.
    inside: Option<[u8; 3]>,
    /// The line being handed on was too long to be held.
    torn: bool,
}

/// A line to hand on.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// With its end.
    pub bytes: BytesMut,
    /// It is the last one of an answer.
    pub is_last: bool,
}

impl Answers {
    /// The next line, if it is complete. With `ended`, what there is.
    pub fn next(&mut self, ended: bool) -> Option<Line> {
        let end = self.raw.iter().position(|byte| *byte == b'\n');
        let whole = match end {
            Some(end) => self.raw.split_to(end + 1),
            None if self.raw.len() >= MAX_LINE || ended && !self.raw.is_empty() => self.raw.split(),
            None => return None,
        };
        if std::mem::replace(&mut self.torn, end.is_none()) || self.torn {
            return Some(Line {
                bytes: whole,
                is_last: false,
            });
        }
        Some(self.tidy(whole))
    }

    fn tidy(&mut self, mut line: BytesMut) -> Line {
        line.advance(negotiation(&line));
        let code = match line[..] {
            [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] => Some([a, b, c]),
            _ => None,
        };
        let (bare, ends) = match line.get(3) {
            Some(b'\r' | b'\n') => (true, code.is_some()),
            Some(b' ') => (false, code.is_some()),
            _ => (false, false),
        };
        match self.inside {
            None if line.get(3) == Some(&b'-') => self.inside = code,
            Some(own) if ends && code != Some(own) => line = [b" ", &line[..]].concat().as_slice().into(),
            Some(_) if ends => self.inside = None,
            _ => {}
        }
        let is_last = ends && self.inside.is_none();
        if is_last && bare {
            line = [&line[..3], b" ", &line[3..]].concat().as_slice().into();
        }
        Line { bytes: line, is_last }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines, the last ones of answers with an exclamation mark.
    fn lines(text: &[u8]) -> Vec<String> {
        let mut answers = Answers::default();
        answers.raw.extend_from_slice(text);
        std::iter::from_fn(|| answers.next(false))
            .map(|line| format!("{}{}", line.bytes.escape_ascii(), if line.is_last { "!" } else { "" }))
            .collect()
    }

    #[test]
    fn lines_that_are_well_formed_stay_as_they_are() {
        assert_eq!(lines(b"220 hello \xff\r\n"), [r"220 hello \xff\r\n!"]);
        assert_eq!(
            lines(b"211-Features:\r\n MDTM\r\n211-x\r\n211 End\r\n"),
            [r"211-Features:\r\n", r" MDTM\r\n", r"211-x\r\n", r"211 End\r\n!"]
        );
        assert_eq!(lines(b"SSH-2.0-OpenSSH_9.2\r\n"), [r"SSH-2.0-OpenSSH_9.2\r\n"]);
        assert_eq!(lines(b"200 half a li"), [""; 0]);
    }

    #[test]
    fn a_number_in_the_text_of_an_answer_does_not_end_it() {
        assert_eq!(
            lines(b"220-Welcome\r\n100 users\r\n220 ready\r\n"),
            [r"220-Welcome\r\n", r" 100 users\r\n", r"220 ready\r\n!"]
        );
    }

    #[test]
    fn a_bare_code_is_an_answer() {
        assert_eq!(lines(b"226\n200\r\n"), [r"226 \n!", r"200 \r\n!"]);
        assert_eq!(lines(b"200-a\r\n200\r\n"), [r"200-a\r\n", r"200 \r\n!"]);
    }

    #[test]
    fn telnet_in_front_of_an_answer_is_no_part_of_it() {
        assert_eq!(lines(b"\xff\xfc\x01\xff\xf1200 ok\r\n"), [r"200 ok\r\n!"]);
    }

    #[test]
    fn an_endless_line_is_passed_on_in_pieces() {
        let mut answers = Answers::default();
        answers.raw.extend_from_slice(&[b'2'; MAX_LINE]);
        let torn = answers.next(false).unwrap();
        assert!(torn.bytes.len() == MAX_LINE && !torn.is_last);
        answers.raw.extend_from_slice(b"200 \r\n200 ok\r\n");
        assert!(!answers.next(false).unwrap().is_last);
        assert!(answers.next(false).unwrap().is_last);
        answers.raw.extend_from_slice(b"22");
        assert_eq!(answers.next(true).unwrap().bytes, "22");
    }
}
