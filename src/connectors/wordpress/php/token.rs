//! Cuts PHP source into tokens. Works on bytes: old sites have comments and passwords in Latin-1.

use super::text::{self, Part};

/// Most tokens of one file; an honest configuration has some thousands.
const MAX_TOKENS: usize = 200_000;

/// Operators and punctuation, longest first.
const SIGNS: &[&str] = &[
    "<<<", "**=", "...", "<=>", "===", "!==", "<<=", ">>=", "??=", "?->", "++", "--", "->", "=>", "::", "==", "!=",
    "<>", "<=", ">=", "&&", "||", "??", "+=", "-=", "*=", "/=", ".=", "%=", "&=", "|=", "^=", "<<", ">>", "**", "+",
    "-", "*", "/", "%", "=", "<", ">", "!", ".", ",", ";", ":", "?", "(", ")", "[", "]", "{", "}", "&", "|", "^", "~",
    "@", "$", "#", "\\", "`",
];

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A keyword, constant, function or class, with its namespace, as it is written.
    Name(String),
    /// `$name`, without the dollar.
    Variable(String),
    /// A string in either kind of quotes, a heredoc or a nowdoc.
    Text(Vec<Part>),
    /// A number as it is written.
    Number(String),
    /// One of [`SIGNS`]; the end of a PHP section is `;`.
    Sign(&'static str),
}

/// A token and its line, counted from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) line: usize,
}

/// Why a file is no PHP that is understood; the end of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nonsense {
    pub(super) line: usize,
    pub(super) what: &'static str,
}

/// The tokens of a file.
pub(super) fn tokens(source: &[u8]) -> Result<Vec<Placed>, Nonsense> {
    let mut lexer = Lexer {
        source,
        at: 0,
        line: 1,
        found: Vec::new(),
    };
    lexer.outside();
    lexer.inside()?;
    Ok(lexer.found)
}

/// The tokens of an expression within a string.
pub(super) fn tokens_within(source: &[u8], line: usize) -> Result<Vec<Placed>, Nonsense> {
    let mut lexer = Lexer {
        source,
        at: 0,
        line,
        found: Vec::new(),
    };
    lexer.inside()?;
    Ok(lexer.found)
}

pub(super) fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

pub(super) fn continues_name(byte: u8) -> bool {
    begins_name(byte) || byte.is_ascii_digit()
}

struct Lexer<'a> {
    source: &'a [u8],
    at: usize,
    line: usize,
    found: Vec<Placed>,
}

impl Lexer<'_> {
    fn rest(&self) -> &[u8] {
        &self.source[self.at..]
    }

    fn skip(&mut self, count: usize) {
        let end = (self.at + count).min(self.source.len());
        self.line += self.source[self.at..end].iter().filter(|&&b| b == b'\n').count();
        self.at = end;
    }

    fn push(&mut self, token: Token) {
        let line = self.line;
        self.found.push(Placed { token, line });
    }

    fn nonsense(&self, what: &'static str) -> Nonsense {
        Nonsense { line: self.line, what }
    }

    /// Skips what is not PHP.
    fn outside(&mut self) {
        loop {
            let Some(found) = self.rest().windows(2).position(|two| two == b"<?") else {
                return self.skip(self.source.len());
            };
            self.skip(found);
            if begins_with(self.rest(), b"<?php") {
                return self.skip(5);
            }
            if self.rest().starts_with(b"<?=") {
                self.skip(3);
                return self.push(Token::Name("echo".into()));
            }
            self.skip(2);
        }
    }

    fn inside(&mut self) -> Result<(), Nonsense> {
        while let Some(&byte) = self.rest().first() {
            if self.found.len() > MAX_TOKENS {
                return Err(self.nonsense("is longer than any configuration"));
            }
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => self.skip(1),
                b'?' if self.rest().starts_with(b"?>") => self.close(),
                b'#' if self.rest().get(1) == Some(&b'[') => self.attribute(),
                b'#' => self.line_comment(),
                b'/' if self.rest().starts_with(b"//") => self.line_comment(),
                b'/' if self.rest().starts_with(b"/*") => {
                    let end = find(&self.rest()[2..], b"*/");
                    let end = end.ok_or_else(|| self.nonsense("has a comment without an end"))?;
                    self.skip(end + 4);
                }
                b'$' if self.rest().get(1).is_some_and(|&b| begins_name(b)) => {
                    self.skip(1);
                    let name = self.name(false);
                    self.push(Token::Variable(name));
                }
                b'\\' if self.rest().get(1).is_some_and(|&b| begins_name(b)) => {
                    let name = self.name(true);
                    self.push(Token::Name(name));
                }
                b if begins_name(b) => {
                    let name = self.name(true);
                    self.push(Token::Name(name));
                }
                b if b.is_ascii_digit() => self.number(),
                b'.' if self.rest().get(1).is_some_and(u8::is_ascii_digit) => self.number(),
                b'\'' | b'"' => self.quoted(byte)?,
                b'<' if self.rest().starts_with(b"<<<") => self.heredoc()?,
                _ => self.sign()?,
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        self.push(Token::Sign(";"));
        self.skip(2);
        self.outside();
    }

    /// `#[…]`, to the end of its brackets; PHP 7 takes the line for a comment.
    fn attribute(&mut self) {
        let mut depth = 0_usize;
        while let Some(&byte) = self.rest().first() {
            match byte {
                b'[' => depth += 1,
                b']' => depth -= 1,
                _ => {}
            }
            self.skip(1);
            if depth == 0 && byte == b']' {
                return;
            }
        }
    }

    /// Ends before the end of the line, or of the PHP section.
    fn line_comment(&mut self) {
        let rest = self.rest();
        let line = rest.iter().position(|&b| b == b'\n' || b == b'\r');
        let section = find(rest, b"?>");
        let end = line.into_iter().chain(section).min();
        self.skip(end.unwrap_or(rest.len()));
    }

    fn name(&mut self, qualified: bool) -> String {
        let rest = self.rest();
        let mut end = usize::from(rest.first() == Some(&b'\\'));
        while end < rest.len() {
            let separator = rest[end] == b'\\' && rest.get(end + 1).is_some_and(|&b| begins_name(b));
            if !(continues_name(rest[end]) || qualified && separator) {
                break;
            }
            end += 1;
        }
        let name = String::from_utf8_lossy(&rest[..end]).into_owned();
        self.skip(end);
        name
    }

    fn number(&mut self) {
        let rest = self.rest();
        let part = |(i, &b): (usize, &u8)| {
            let exponent = matches!(b, b'+' | b'-') && matches!(rest[i - 1], b'e' | b'E') && !rest.starts_with(b"0x");
            !(b.is_ascii_alphanumeric() || b == b'.' || b == b'_' || (i > 0 && exponent))
        };
        let end = rest.iter().enumerate().position(part).unwrap_or(rest.len());
        let number = String::from_utf8_lossy(&rest[..end]).into_owned();
        self.push(Token::Number(number));
        self.skip(end);
    }

    fn quoted(&mut self, quote: u8) -> Result<(), Nonsense> {
        let rest = self.rest();
        let mut end = 1;
        while end < rest.len() && rest[end] != quote {
            end += if rest[end] == b'\\' { 2 } else { 1 };
        }
        if end >= rest.len() {
            return Err(self.nonsense("has a string without an end"));
        }
        let body = &rest[1..end];
        let parts = match quote {
            b'\'' => vec![Part::Literal(text::single_quoted(body))],
            _ => text::interpolated(body, Some(b'"'), self.line)?,
        };
        self.push(Token::Text(parts));
        self.skip(end + 1);
        Ok(())
    }

    fn heredoc(&mut self) -> Result<(), Nonsense> {
        let Some(found) = text::heredoc(self.rest()) else {
            return Err(self.nonsense("has a heredoc without an end"));
        };
        let parts = match found.literal {
            true => vec![Part::Literal(found.body)],
            false => text::interpolated(&found.body, None, self.line)?,
        };
        self.push(Token::Text(parts));
        self.skip(found.length);
        Ok(())
    }

    fn sign(&mut self) -> Result<(), Nonsense> {
        let sign = SIGNS.iter().find(|sign| self.rest().starts_with(sign.as_bytes()));
        let sign = sign.ok_or_else(|| self.nonsense("has a character that is no PHP"))?;
        self.push(Token::Sign(sign));
        self.skip(sign.len());
        Ok(())
    }
}

/// Where `needle` begins.
pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn begins_with(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<String> {
        let found = tokens(source.as_bytes()).unwrap();
        let text = |placed: Placed| match placed.token {
            Token::Name(name) | Token::Variable(name) | Token::Number(name) => name,
            Token::Text(parts) => format!("{parts:?}"),
            Token::Sign(sign) => sign.to_owned(),
        };
        found.into_iter().map(text).collect()
    }

    #[test]
    fn what_is_no_code_is_left_out() {
        let source = "html <?PHP a # b ?> x <? y <?php c // d\n/* e\n*/ f ?>";
        assert_eq!(names(source), ["a", ";", "c", "f", ";"]);
        assert_eq!(names("no code at all"), Vec::<String>::new());
        assert_eq!(names("<?php #[Attr(['x'])] a"), ["a"]);
    }

    #[test]
    fn lines_are_counted_through_strings_and_comments() {
        let found = tokens(b"<?php /*\n*/ 'a\nb'\n c").unwrap();
        assert_eq!(found.iter().map(|placed| placed.line).collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn what_has_no_end_is_refused_and_nothing_panics() {
        for source in ["<?php '", "<?php \"\\", "<?php /* ", "<?php <<<X\nabc", "<?php \u{1}"] {
            assert!(tokens(source.as_bytes()).is_err(), "{source}");
        }
        assert!(tokens(b"<?php 1e+5 .5 0x1F 1_000 #").is_ok());
    }
}
