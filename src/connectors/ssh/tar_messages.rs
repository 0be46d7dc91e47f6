//! What the tars print to standard error, sorted by what it means for the backup.
//!
//! All run with `LC_ALL=C`. GNU tar escapes names, the others do not: there a name with a line break
//! may be told in pieces, but what is told always counts.

use super::remote_tar::TarFlavour;
use crate::domain::entry::ProblemKind;

/// What one line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Something about one path.
    About {
        /// What it means.
        kind: ProblemKind,
        /// The path as the tar named it.
        path: Vec<u8>,
        /// What happened.
        text: String,
    },
    /// Nothing to tell.
    Benign,
    /// The tar could not go on.
    Fatal(String),
    /// Not from tar: a login script, a warning of the shell.
    Noise(String),
}

/// Reasons, in the order they are looked for, and what each means.
const REASONS: [(&str, ProblemKind); 17] = [
    ("File removed before we read it", ProblemKind::Vanished),
    ("No such file or directory", ProblemKind::Vanished),
    ("file changed as we read it", ProblemKind::Changed),
    ("File shrank by", ProblemKind::Changed),
    ("runcated", ProblemKind::Changed),
    ("short read", ProblemKind::Changed),
    ("socket ignored", ProblemKind::SpecialSkipped),
    ("door ignored", ProblemKind::SpecialSkipped),
    ("cannot archive sockets", ProblemKind::SpecialSkipped),
    ("nknown file type", ProblemKind::SpecialSkipped),
    ("Warning: ", ProblemKind::Note),
    ("Permission denied", ProblemKind::Unreadable),
    ("Operation not permitted", ProblemKind::Unreadable),
    ("Input/output error", ProblemKind::Unreadable),
    ("Cannot ", ProblemKind::Unreadable),
    ("Couldn't ", ProblemKind::Unreadable),
    ("ead error", ProblemKind::Unreadable),
];

/// Lines that say nothing about the backup.
const BENIGN: [&str; 10] = [
    "Removing leading",
    "removing leading",
    "Exiting with failure status",
    "Error exit delayed",
    "error exit delayed",
    "time stamp",
    "is not available",
    "support is not compiled in",
    "Can't translate pathname",
    "contains a cache directory tag",
];

/// After these the stream is not whole.
const FATAL: [&str; 6] = [
    "Error is not recoverable",
    "Cannot write",
    "Write error",
    "memory exhausted",
    "ut of memory",
    "invalid option",
];

/// The messages of one line: bsdtar forgets some line breaks.
pub fn read(flavour: TarFlavour, line: &[u8]) -> Vec<Message> {
    if flavour != TarFlavour::Bsd {
        return vec![one(flavour, line)];
    }
    let mut messages = Vec::new();
    let mut rest = line;
    while let Some(at) = next_start(rest) {
        messages.push(one(flavour, &rest[..at]));
        rest = &rest[at..];
    }
    messages.push(one(flavour, rest));
    messages
}

/// Where in a line another message of bsdtar begins, whichever of its names it goes by.
fn next_start(line: &[u8]) -> Option<usize> {
    let name = b"tar: ";
    let first = if line.starts_with(b"bsdtar: ") { 4 } else { 1 };
    let at = find(line.get(first..)?, name)? + first;
    Some(if line[..at].ends_with(b"bsd") { at - 3 } else { at })
}

fn one(flavour: TarFlavour, line: &[u8]) -> Message {
    let text = printable(line);
    let named = [&b"tar: "[..], b"gtar: ", b"bsdtar: ", b"busybox: ", b"find: ", b": "];
    let Some(said) = named.iter().find_map(|name| line.strip_prefix(*name)) else {
        return match text.is_empty() {
            true => Message::Benign,
            false => Message::Noise(text),
        };
    };
    let said_text = printable(said);
    let (path, reason) = split(flavour, said);
    let reason_text = printable(reason);
    if path.is_none() || path.as_deref() == Some(b"-") {
        return match BENIGN.iter().any(|benign| said_text.contains(benign)) {
            true => Message::Benign,
            false => Message::Fatal(said_text),
        };
    }
    if FATAL.iter().any(|fatal| reason_text.contains(fatal)) {
        return Message::Fatal(said_text);
    }
    if BENIGN.iter().any(|benign| reason_text.contains(benign)) {
        return Message::Benign;
    }
    let known = REASONS.iter().find(|(reason, _)| reason_text.contains(reason));
    // What a tar says about a path and we do not know is not taken lightly.
    let kind = known.map_or(ProblemKind::Unreadable, |(_, kind)| *kind);
    Message::About {
        kind,
        path: path.unwrap_or_default(),
        text: reason_text,
    }
}

/// The path a message is about, and what it says.
fn split(flavour: TarFlavour, said: &[u8]) -> (Option<Vec<u8>>, &[u8]) {
    if flavour == TarFlavour::Gnu {
        let Some(colon) = unescaped_colon(said) else {
            return (None, said);
        };
        let path = unescape(&said[..colon]);
        // Its own messages with a colon in them do not begin with a path; we only gave absolute ones.
        return match path.starts_with(b"/") || path == b"-" {
            true => (Some(path), &said[colon + 2..]),
            false => (None, said),
        };
    }
    // `can't open '/path': reason`, ``Can't open `/path': reason``, `'/path': reason`
    for (open, close) in [(&b"'/"[..], &b"': "[..]), (b"`/", b"': "), (b"\"/", b"\": ")] {
        if let (Some(start), Some(end)) = (find(said, open), rfind(said, close))
            && start < end
        {
            return (Some(said[start + 1..end].to_vec()), &said[end + close.len()..]);
        }
    }
    // `/path: Cannot stat: reason`, `/path: reason`; busybox drops the leading slash at times. A name
    // broken by a line break ends without a reason.
    let quoted = [&b"can't open '"[..], b"Can't open `", b"'"];
    let said = quoted
        .iter()
        .find_map(|quoted| said.strip_prefix(*quoted))
        .unwrap_or(said);
    if !said.starts_with(b"/") {
        return (None, said);
    }
    let known = [&b": Cannot "[..], b": Couldn't ", b": Can't ", b": pax format"];
    let end = known
        .iter()
        .filter_map(|known| find(said, known))
        .min()
        .or_else(|| rfind(said, b": "));
    match end {
        Some(end) => (Some(said[..end].to_vec()), &said[end + 2..]),
        None => (Some(said.to_vec()), b"could not be read"),
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn rfind(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).rposition(|window| window == part)
}

fn unescaped_colon(text: &[u8]) -> Option<usize> {
    let mut i = 0;
    while i + 1 < text.len() {
        match text[i] {
            b'\\' => i += 2,
            b':' if text[i + 1] == b' ' => return Some(i),
            _ => i += 1,
        }
    }
    None
}

/// Undoes `--quoting-style=escape`.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'\\' {
            bytes.push(first);
            continue;
        }
        if let [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] = rest {
            bytes.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
            rest = tail;
            continue;
        }
        if let Some((&escaped, tail)) = rest.split_first() {
            rest = tail;
            bytes.push(match escaped {
                b'a' => 7,
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => 11,
                other => other,
            });
        }
    }
    bytes
}

/// Text for people, bounded.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim().chars().filter(|c| !c.is_control()).take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::{Message::*, *};
    use TarFlavour::{Bsd, Busybox, Gnu};

    fn about(flavour: TarFlavour, line: &[u8]) -> (ProblemKind, Vec<u8>) {
        match &read(flavour, line)[..] {
            [About { kind, path, .. }] => (*kind, path.clone()),
            other => panic!("{}: {other:?}", line.escape_ascii()),
        }
    }

    #[test]
    fn gnu() {
        for (line, kind, path) in [
            (
                &br"tar: /srv/it's \303\244: Cannot open: Permission denied"[..],
                ProblemKind::Unreadable,
                &b"/srv/it's \xc3\xa4"[..],
            ),
            (
                br"tar: /d/bad\377\nna\: me: Cannot open: Permission denied",
                ProblemKind::Unreadable,
                b"/d/bad\xff\nna: me",
            ),
            (
                br"tar: /d/x: Cannot stat: No such file or directory",
                ProblemKind::Vanished,
                b"/d/x",
            ),
            (
                br"tar: /d/x: File removed before we read it",
                ProblemKind::Vanished,
                b"/d/x",
            ),
            (br"tar: /d/x: file changed as we read it", ProblemKind::Changed, b"/d/x"),
            (
                br"tar: /d/x: File shrank by 5 bytes; padding with zeros",
                ProblemKind::Changed,
                b"/d/x",
            ),
            (br"gtar: /d/s: socket ignored", ProblemKind::SpecialSkipped, b"/d/s"),
            (
                br"tar: /d/x: Read error at byte 0, while reading 512 bytes: Input/output error",
                ProblemKind::Unreadable,
                b"/d/x",
            ),
            (
                br"tar: /d/x: Warning: Cannot flistxattr: Operation not supported",
                ProblemKind::Note,
                b"/d/x",
            ),
            (
                br"tar: /d/Cannot write: Cannot open: Permission denied",
                ProblemKind::Unreadable,
                b"/d/Cannot write",
            ),
            (br"tar: /d/x: something new", ProblemKind::Unreadable, b"/d/x"),
        ] {
            assert_eq!(about(Gnu, line), (kind, path.to_vec()), "{}", line.escape_ascii());
        }
        for benign in [
            "tar: Exiting with failure status due to previous errors",
            "tar: Removing leading `/' from member names",
            "tar: /d/x: implausibly old time stamp 1970-01-01",
            "",
        ] {
            assert_eq!(read(Gnu, benign.as_bytes()), [Benign]);
        }
        for fatal in [
            "tar: Error is not recoverable: exiting now",
            "tar: -: Cannot write: Broken pipe",
            "tar: memory exhausted",
            "tar: unrecognized option '--foo'",
        ] {
            assert!(matches!(&read(Gnu, fatal.as_bytes())[..], [Fatal(_)]), "{fatal}");
        }
        assert_eq!(
            read(Gnu, b"bash: warning: setlocale"),
            [Noise("bash: warning: setlocale".into())]
        );
    }

    #[test]
    fn bsd() {
        assert_eq!(
            about(Bsd, b"bsdtar: Can't open `/d/it's': Permission denied"),
            (ProblemKind::Unreadable, b"/d/it's".to_vec())
        );
        assert_eq!(
            about(Bsd, b"bsdtar: /d/x: Cannot stat: No such file or directory"),
            (ProblemKind::Vanished, b"/d/x".to_vec())
        );
        assert_eq!(
            about(Bsd, b"find: '/d/nop': Permission denied"),
            (ProblemKind::Unreadable, b"/d/nop".to_vec())
        );
        assert_eq!(
            about(Bsd, b"find: /d/nop: Permission denied"),
            (ProblemKind::Unreadable, b"/d/nop".to_vec())
        );
        let glued = read(
            Bsd,
            b": /d/sock: pax format cannot archive socketsbsdtar: Can't open `/d/u': Permission denied",
        );
        let [
            About {
                kind: ProblemKind::SpecialSkipped,
                path: a,
                ..
            },
            About {
                kind: ProblemKind::Unreadable,
                path: b,
                ..
            },
        ] = &glued[..]
        else {
            panic!("{glued:?}")
        };
        assert_eq!((a.as_slice(), b.as_slice()), (&b"/d/sock"[..], &b"/d/u"[..]));
        assert_eq!(read(Bsd, b"bsdtar: Error exit delayed from previous errors."), [Benign]);
    }

    #[test]
    fn busybox() {
        for (line, kind, path) in [
            (
                "tar: can't open '/d/unread': Permission denied",
                ProblemKind::Unreadable,
                "/d/unread",
            ),
            ("tar: /d/nop: Permission denied", ProblemKind::Unreadable, "/d/nop"),
            ("tar: /d/sock: socket ignored", ProblemKind::SpecialSkipped, "/d/sock"),
            (
                "tar: /d/gone: No such file or directory",
                ProblemKind::Vanished,
                "/d/gone",
            ),
            (
                "tar: can't open '/d/broken by a line",
                ProblemKind::Unreadable,
                "/d/broken by a line",
            ),
        ] {
            assert_eq!(
                about(Busybox, line.as_bytes()),
                (kind, path.as_bytes().to_vec()),
                "{line}"
            );
        }
        assert_eq!(read(Busybox, b"tar: error exit delayed from previous errors"), [Benign]);
        assert_eq!(read(Busybox, b"tar: removing leading '/' from member names"), [Benign]);
    }
}
