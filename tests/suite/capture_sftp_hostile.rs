//! SFTP servers that lie, flood, stall or vanish: each ends in its own error, soon, in little memory.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};
use xvault::{
    connectors::sftp::{SftpClient, SftpSource, capture},
    domain::{
        entry::{FileEnd, ProblemKind},
        error_code::ErrorCode,
        exclude::ExcludeSet,
        job::JobError,
    },
};

use crate::support::captured::{Collected, collect};

const REGULAR: u32 = 0o100_644;
const DIRECTORY: u32 = 0o040_755;

/// What a scripted server makes of a request; `None` closes the connection.
trait Script: FnMut(Request) -> Option<Reply> + Send + 'static {}
impl<F: FnMut(Request) -> Option<Reply> + Send + 'static> Script for F {}

#[derive(Debug)]
enum Request {
    Open(String),
    OpenDir(String),
    Read(String, u64, u32),
    ReadDir(String),
    Lstat,
    Fstat(String),
    Other,
}

enum Reply {
    Status(u32),
    Handle(String),
    Data(Vec<u8>),
    Names(Vec<(Vec<u8>, u32, u64)>),
    Attributes(u32, u64),
    /// A packet exactly as it is, length and id included.
    Raw(Vec<u8>),
    Silence,
}

const END: Reply = Reply::Status(1);

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

fn attributes(permissions: u32, size: u64) -> Vec<u8> {
    let mut bytes = 0xdu32.to_be_bytes().to_vec();
    bytes.extend(size.to_be_bytes());
    bytes.extend(permissions.to_be_bytes());
    bytes.extend([0; 8]);
    bytes
}

async fn serve(stream: DuplexStream, mut script: impl Script) {
    let (mut reader, mut writer) = split(stream);
    let packet = |kind: u8, id: u32, body: &[u8]| {
        let length = (body.len() + 5) as u32;
        [&length.to_be_bytes()[..], &[kind], &id.to_be_bytes(), body].concat()
    };
    while let Ok(length) = reader.read_u32().await {
        let mut request = vec![0; length as usize];
        if reader.read_exact(&mut request).await.is_err() {
            return;
        }
        let kind = request[0];
        let id = u32::from_be_bytes(request[1..5].try_into().unwrap());
        if kind == 1 {
            let _ = writer.write_all(&packet(2, 3, &[])).await;
            continue;
        }
        let rest = &request[5..];
        let text_length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        let text = String::from_utf8(rest[4..4 + text_length].to_vec()).unwrap();
        let rest = &rest[4 + text_length..];
        let request = match kind {
            3 => Request::Open(text),
            5 => Request::Read(
                text,
                u64::from_be_bytes(rest[..8].try_into().unwrap()),
                u32::from_be_bytes(rest[8..12].try_into().unwrap()),
            ),
            7 | 17 => Request::Lstat,
            8 => Request::Fstat(text),
            11 => Request::OpenDir(text),
            12 => Request::ReadDir(text),
            16 => {
                let real = if text == "." { "/home" } else { &text };
                let body = [&1u32.to_be_bytes()[..], &string(real.as_bytes()), &string(b""), &[0; 4]].concat();
                let _ = writer.write_all(&packet(104, id, &body)).await;
                continue;
            }
            _ => Request::Other,
        };
        let close = matches!(request, Request::Other);
        let reply = match script(request) {
            None if close => Reply::Status(0),
            None => return,
            Some(reply) => reply,
        };
        let bytes = match reply {
            Reply::Status(code) => packet(
                101,
                id,
                &[&code.to_be_bytes()[..], &string(b"said so"), &string(b"")].concat(),
            ),
            Reply::Handle(handle) => packet(102, id, &string(handle.as_bytes())),
            Reply::Data(data) => packet(103, id, &string(&data)),
            Reply::Attributes(permissions, size) => packet(105, id, &attributes(permissions, size)),
            Reply::Names(names) => {
                let mut body = (names.len() as u32).to_be_bytes().to_vec();
                for (name, permissions, size) in names {
                    body.extend(string(&name));
                    body.extend(string(b"ls -l"));
                    body.extend(attributes(permissions, size));
                }
                packet(104, id, &body)
            }
            Reply::Raw(bytes) => bytes,
            Reply::Silence => continue,
        };
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn capture_from(script: impl Script) -> (Collected, Result<(), JobError>) {
    capture_patiently(script, Duration::from_secs(60)).await
}

async fn capture_patiently(script: impl Script, patience: Duration) -> (Collected, Result<(), JobError>) {
    let (ours, theirs) = duplex(64 * 1024);
    let server = tokio::spawn(serve(theirs, script));
    let excludes = ExcludeSet::new(&[]).unwrap();
    let source = SftpSource {
        place: "web1:22",
        includes: &["/srv".to_owned()],
        excludes: &excludes,
    };
    let (reader, writer) = split(ours);
    let result = collect(async |sink| {
        let client = SftpClient::with_patience(reader, writer, patience)
            .await
            .expect("a greeting");
        capture(client, &source, &sink).await
    })
    .await;
    server.abort();
    result
}

/// A server with one directory, `/srv`, of these names, all of whose files have `content`.
fn one_directory(
    names: Vec<(Vec<u8>, u32, u64)>,
    mut more: impl FnMut(&Request) -> Option<Option<Reply>> + Send + 'static,
) -> impl Script {
    let mut names = Some(names);
    move |request| {
        if let Some(reply) = more(&request) {
            return reply;
        }
        Some(match request {
            Request::Lstat => Reply::Attributes(DIRECTORY, 0),
            Request::OpenDir(path) | Request::Open(path) => Reply::Handle(path),
            Request::ReadDir(_) => names.take().map_or(END, Reply::Names),
            Request::Read(..) => END,
            Request::Fstat(_) => Reply::Attributes(REGULAR, 0),
            Request::Other => Reply::Status(0),
        })
    }
}

fn check(result: Result<(), JobError>, code: ErrorCode, says: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.code, code, "{error}");
    assert!(
        error.message.contains("web1:22") && error.message.contains(says),
        "{error}"
    );
    assert!(!error.hint.is_empty());
}

#[tokio::test]
async fn names_no_file_can_have() {
    for name in [&b"../../etc/cron.d/evil"[..], b"a/b", b"/", b"", b"nul\0"] {
        let (collected, result) = capture_from(one_directory(vec![(name.to_vec(), REGULAR, 1)], |_| None)).await;
        check(result, ErrorCode::ProtocolError, "which no file can be called");
        assert!(collected.order.iter().all(|path| path == b"srv"));
    }
    let dots = vec![(b".".to_vec(), DIRECTORY, 0), (b"..".to_vec(), DIRECTORY, 0)];
    let (collected, result) = capture_from(one_directory(dots, |_| None)).await;
    result.unwrap();
    assert_eq!(collected.order, [b"srv"]);
}

#[tokio::test]
async fn absurd_sizes() {
    for size in [1 << 63, u64::MAX, (16 << 40) + 1] {
        let (_, result) = capture_from(one_directory(vec![(b"large".to_vec(), REGULAR, size)], |_| None)).await;
        check(result, ErrorCode::SourceLimit, "/srv/large");
    }
}

#[tokio::test]
async fn directories_without_end() {
    // A handle is read once with names, then it is at its end; each name is three more directories.
    let (mut handles, mut read) = (0, std::collections::HashSet::new());
    let names = [b'a', b'b', b'c'].map(|letter| (vec![letter; 200], DIRECTORY, 0));
    let (_, result) = capture_from(move |request| {
        Some(match request {
            Request::Lstat => Reply::Attributes(DIRECTORY, 0),
            Request::OpenDir(_) => {
                handles += 1;
                Reply::Handle(handles.to_string())
            }
            Request::ReadDir(handle) if read.insert(handle.clone()) => Reply::Names(names.to_vec()),
            Request::ReadDir(_) => END,
            _ => Reply::Status(0),
        })
    })
    .await;
    check(result, ErrorCode::SourceLimit, "a path of more than");
}

#[tokio::test]
async fn a_close_in_the_middle_is_an_interruption() {
    let names = vec![(b"f".to_vec(), REGULAR, 10_000_000)];
    let (collected, result) = capture_from(one_directory(names, |request| match request {
        Request::Read(_, offset, _) if *offset > 1_000_000 => Some(None),
        Request::Read(_, _, length) => Some(Some(Reply::Data(vec![7; *length as usize]))),
        _ => None,
    }))
    .await;
    check(result, ErrorCode::TransferInterrupted, "closed the connection");
    assert!(collected.tree.keys().all(|path| path == b"srv"));
}

#[tokio::test]
async fn a_short_answer_is_asked_for_again() {
    let names = [100, 40_000, 200_000].map(|size| (format!("f{size}").into_bytes(), REGULAR, size));
    let (collected, result) = capture_from(one_directory(names.to_vec(), |request| match request {
        Request::Read(path, offset, length) => {
            let size: u64 = path.trim_start_matches("/srv/f").parse().unwrap();
            let left = size.saturating_sub(*offset).min(u64::from(*length)).min(7_000);
            Some(Some(if left == 0 {
                END
            } else {
                Reply::Data(vec![1; left as usize])
            }))
        }
        Request::Fstat(path) => Some(Some(Reply::Attributes(
            REGULAR,
            path.trim_start_matches("/srv/f").parse().unwrap(),
        ))),
        _ => None,
    }))
    .await;
    result.unwrap();
    assert!(
        collected.ends.is_empty() && collected.problems.is_empty(),
        "{collected:?}"
    );
    assert_eq!(collected.tree.len(), 4);
}

#[tokio::test]
async fn files_that_change_or_fail_while_read_are_told() {
    let names = [
        ("shrunk", 200_000),
        ("grown", 200_000),
        ("bad", 200_000),
        ("small", 100),
        ("gone", 5),
        ("closed", 5),
    ];
    let names = names.map(|(name, size)| (name.as_bytes().to_vec(), REGULAR, size));
    let (collected, result) = capture_from(one_directory(names.to_vec(), |request| {
        Some(Some(match request {
            Request::Open(path) if path.ends_with("gone") => Reply::Status(2),
            Request::Open(path) if path.ends_with("closed") => Reply::Status(3),
            Request::Read(path, offset, _) if path.ends_with("shrunk") && *offset >= 65_536 => END,
            Request::Read(path, offset, _) if path.ends_with("bad") && *offset >= 65_536 => Reply::Status(4),
            Request::Read(path, 0, _) if path.ends_with("small") => Reply::Data(vec![1; 60]),
            Request::Read(path, ..) if path.ends_with("small") => END,
            Request::Read(_, offset, length) => {
                Reply::Data(vec![1; (200_000 - offset).min(u64::from(*length)) as usize])
            }
            Request::Fstat(path) if path.ends_with("shrunk") => Reply::Attributes(REGULAR, 65_536),
            Request::Fstat(path) if path.ends_with("grown") => Reply::Attributes(REGULAR, 200_001),
            Request::Fstat(path) if path.ends_with("small") => Reply::Attributes(REGULAR, 60),
            _ => return None,
        }))
    }))
    .await;
    result.unwrap();
    let end = |name: &str, end| (format!("srv/{name}").into_bytes(), end);
    let expected = [
        end("shrunk", FileEnd::Changed),
        end("grown", FileEnd::Changed),
        end("bad", FileEnd::Unreadable),
    ];
    assert_eq!(collected.ends, expected);
    assert_eq!(collected.problems(ProblemKind::Vanished), ["/srv/gone"]);
    assert_eq!(collected.problems(ProblemKind::Unreadable), ["/srv/closed"]);
    // Replaced by a shorter one between listing and reading: stored as it is now.
    assert!(collected.tree.contains_key(&b"srv/small"[..]));
}

#[tokio::test]
async fn broken_packets_end_the_conversation() {
    let unknown_id = [&9u32.to_be_bytes()[..], &[101], &u32::MAX.to_be_bytes(), &[0; 4]].concat();
    let huge = [&u32::MAX.to_be_bytes()[..], &[104]].concat();
    let empty = vec![0; 8];
    for raw in [unknown_id, huge, empty] {
        let (_, result) = capture_from(one_directory(vec![], move |request| match request {
            Request::ReadDir(_) => Some(Some(Reply::Raw(raw.clone()))),
            _ => None,
        }))
        .await;
        check(result, ErrorCode::ProtocolError, "does not keep to the SFTP protocol");
    }
    // An answer to another question.
    let (_, result) = capture_from(|request| match request {
        Request::Lstat => Some(Reply::Attributes(DIRECTORY, 0)),
        Request::OpenDir(path) => Some(Reply::Handle(path)),
        Request::ReadDir(_) => Some(Reply::Data(vec![0xff; 10])),
        _ => Some(Reply::Status(0)),
    })
    .await;
    check(result, ErrorCode::ProtocolError, "reply of type 103");
    // More data than was asked for.
    let names = vec![(b"f".to_vec(), REGULAR, 10)];
    let (_, result) = capture_from(one_directory(names, |request| match request {
        Request::Read(..) => Some(Some(Reply::Data(vec![1; 500]))),
        _ => None,
    }))
    .await;
    check(result, ErrorCode::ProtocolError, "500 bytes in answer");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let names = vec![(b"f".to_vec(), REGULAR, 10)];
    let silent = one_directory(names, |request| match request {
        Request::Read(..) => Some(Some(Reply::Silence)),
        _ => None,
    });
    let (_, result) = capture_patiently(silent, Duration::from_secs(1)).await;
    check(result, ErrorCode::TransferInterrupted, "sent nothing for 1 s");
}

#[tokio::test]
async fn something_that_is_no_sftp_server() {
    for greeting in [&b"Welcome to web1!\r\n"[..], b""] {
        let (ours, mut theirs) = duplex(1024);
        theirs.write_all(greeting).await.unwrap();
        theirs.shutdown().await.unwrap();
        let (reader, writer) = split(ours);
        let error = SftpClient::start(reader, writer).await.unwrap_err();
        let code = error.into_job_error("web1:22").code;
        assert!(matches!(
            code,
            ErrorCode::ProtocolError | ErrorCode::TransferInterrupted
        ));
    }
}
