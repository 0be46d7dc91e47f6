//! Client programs on the worker and on the source: what they get, what becomes of their output, and that
//! none outlives what it was started for.

use std::{path::Path, time::Duration};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;
use xvault::{
    connectors::{
        local::Exit,
        program::{At, Dump, DumpCause, DumpFault, Dumped, Limits, Program, Stdin},
        ssh::session::SshSession,
    },
    domain::{entry::EntryPath, error_code::ErrorCode, source::SourceKind},
};

use super::support::{
    captured::{Collected, collect},
    eventually::{SOON, eventually},
    ssh_place::Place,
    sshd::Sshd,
};

async fn source() -> (Sshd, Place, SshSession) {
    let (server, place) = (Sshd::start(), Place::new());
    let session = place.connect(&server.source(SourceKind::Ssh, &["/"])).await.unwrap();
    (server, place, session)
}

fn shell(script: &str) -> Program {
    Program::new("sh").args(["-c", script, "sh"])
}

fn alive(pid: &str) -> bool {
    // A zombie has ended; whoever started it has not looked yet.
    std::fs::read_to_string(Path::new("/proc").join(pid).join("stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

const DUMP: Dump<'static> = Dump {
    what: "the database shop",
    begins_with: b"-- begin",
    last_line: Some("-- Dump completed"),
    least: 20,
    silence: SOON,
};

async fn dump(program: &Program, at: At<'_>, cancel: &CancellationToken) -> (Collected, Result<Dumped, DumpFault>) {
    let running = program.start(at, Stdin::Empty).await.unwrap();
    let mut sent = None;
    let (collected, _) = collect(async |sink| {
        let path = EntryPath::new(b"databases/shop.sql").unwrap();
        sent = Some(DUMP.send(running, path, &sink, &mut (), cancel).await);
        Ok(())
    })
    .await;
    (collected, sent.expect("it was sent"))
}

#[tokio::test]
async fn dumps_arrive_whole_from_worker_and_source() {
    let (_server, _place, session) = source().await;
    let script = "echo '-- begin'; head -c 300000 /dev/zero | tr '\\0' x; echo aside >&2; \
                  printf '\\n-- Dump completed on a day\\n\\n--\\n\\\\unrestrict x\\n'";
    for at in [At::Worker, At::Source(&session)] {
        let (collected, dumped) = dump(&shell(script), at, &CancellationToken::new()).await;
        let dumped = dumped.unwrap_or_else(|fault| panic!("{fault:?}"));
        assert_eq!(dumped.bytes, 300_055);
        assert!(dumped.said.ends_with("aside\n"), "{}", dumped.said);
        assert_eq!(collected.order, [b"databases/shop.sql"]);
        assert!(collected.tree.contains_key(b"databases/shop.sql".as_slice()));
    }
    session.close().await;
}

#[tokio::test]
async fn what_is_no_whole_dump_is_never_ended_as_one() {
    let (_server, _place, session) = source().await;
    for at in [At::Worker, At::Source(&session)] {
        for (script, fault) in [
            (
                "echo '-- begin'; echo no quota left >&2; echo '-- Dump completed'; exit 3",
                "exit code 3: no quota left",
            ),
            (
                "echo '-- begin with something'; exit 0",
                "lacks the line \"-- Dump completed\"",
            ),
            (
                "echo '-- begin'; echo '-- Dump completed'; echo 'insert into'",
                "lacks the line",
            ),
            ("echo '-- Dump completed without beginning'", "does not begin"),
            ("echo '-- begin'", "only 9 bytes"),
            ("exec /no/such/program", "exit code 127"),
        ] {
            let (collected, dumped) = dump(&shell(script), at, &CancellationToken::new()).await;
            let error = dumped.unwrap_err().into_error();
            assert_eq!(error.code, ErrorCode::DumpFailed);
            assert!(error.message.contains(fault), "{}", error.message);
            assert!(
                error.message.starts_with(&format!("sh of the database shop on {at}")),
                "{}",
                error.message
            );
            assert!(collected.tree.is_empty());
        }
    }
    session.close().await;
}

#[tokio::test]
async fn secrets_stand_in_no_argument_and_no_file_of_theirs_is_left() {
    let (_server, _place, session) = source().await;
    let secret = "hunter2 it's\na \"secret\"";
    let look = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; printf '|%s' \"$PGPASSWORD\"";
    let cancel = CancellationToken::new();
    let program = shell(look).secret_env("PGPASSWORD", secret.into());
    for at in [At::Worker, At::Source(&session)] {
        let ran = program.run(at, Stdin::Empty, Limits::default(), &cancel).await.unwrap();
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        let (arguments, told) = text.rsplit_once('|').unwrap();
        assert_eq!(told, secret, "{}", ran.said);
        assert!(arguments.contains("sh -c") && !arguments.contains("hunter2"));
    }
    // Ours do not reach it either.
    let ran = shell("env; stat -Lc %a \"$1\" \"$PGPASSFILE\"; cat \"$1\" \"$PGPASSFILE\"; echo \"$1\"")
        .secret_file_arg("", "one\n".into())
        .secret_file_env("PGPASSFILE", "two\n".into())
        .run(At::Worker, Stdin::Empty, Limits::default(), &cancel)
        .await
        .unwrap();
    let text = String::from_utf8(ran.stdout).unwrap();
    assert!(!text.contains("CARGO") && text.contains("LC_ALL=C"), "{text}");
    let (_, path) = text.trim_end().rsplit_once("600\n600\none\ntwo\n").expect(&text);
    assert!(path.starts_with("/proc/") && !Path::new(path).exists(), "{path}");
    let error = shell("")
        .secret_file_arg("", "x".into())
        .start(At::Source(&session), Stdin::Empty)
        .await;
    assert_eq!(error.unwrap_err().code, ErrorCode::Internal);
    session.close().await;
}

#[tokio::test]
async fn input_comes_as_text_or_piped() {
    let (_server, _place, session) = source().await;
    let text = "select 'it''s 100% \\n' from t;\nselect 2;\n";
    for at in [At::Worker, At::Source(&session)] {
        let cancel = CancellationToken::new();
        let (cat, stdin) = (Program::new("cat"), Stdin::Text(text.into()));
        let ran = cat.run(at, stdin, Limits::default(), &cancel).await.unwrap();
        assert_eq!(
            (ran.exit, String::from_utf8(ran.stdout).unwrap()),
            (Exit::Code(0), text.to_owned())
        );

        let mut running = shell("wc -c >&2; exit 4").start(at, Stdin::Piped).await.unwrap();
        let mut stdin = running.stdin.take().unwrap();
        stdin.write_all(&[7; 200_000]).await.unwrap();
        stdin.shutdown().await.unwrap();
        drop(stdin);
        let ended = running.wait().await.unwrap();
        assert_eq!((ended.exit, ended.said.trim()), (Exit::Code(4), "200000"));
    }
    session.close().await;
}

/// Prints the ids of itself and of a child of its own, and then nothing.
const LINGER: &str = "sleep 1000 & echo $$ $!; wait";

#[tokio::test]
async fn a_cancelled_dump_leaves_no_process_on_either_side() {
    let (_server, _place, session) = source().await;
    for at in [At::Worker, At::Source(&session)] {
        let (cancel, running) = (
            CancellationToken::new(),
            shell(LINGER).start(at, Stdin::Empty).await.unwrap(),
        );
        let (mut pids, mut sent) = (String::new(), None);
        let (sink, mut items) = xvault::connectors::CaptureSink::channel();
        let watch = async {
            while let Some(item) = items.recv().await {
                if let xvault::domain::entry::Captured::Data(data) = item {
                    pids.push_str(std::str::from_utf8(&data).unwrap());
                    cancel.cancel();
                }
            }
        };
        let send = async {
            let path = EntryPath::new(b"databases/shop.sql").unwrap();
            sent = Some(DUMP.send(running, path, &sink, &mut (), &cancel).await);
            drop(sink);
        };
        tokio::join!(watch, send);
        let fault = sent.unwrap().unwrap_err();
        assert!(matches!(&fault.cause, DumpCause::Stopped(error) if error.code == ErrorCode::Cancelled));
        assert_eq!(pids.split_whitespace().count(), 2);
        let mut pids = pids.split_whitespace();
        assert!(!alive(pids.next().unwrap()), "{at}: the program itself lives");
        // What it started is not ours to wait for.
        let child = pids.next().unwrap();
        eventually("its child ends", SOON, async || !alive(child)).await;
    }
    session.close().await;
}

#[tokio::test]
async fn nothing_outlives_its_owner_or_its_connection() {
    let (server, _place, session) = source().await;
    let mut lingering = Vec::new();
    for at in [At::Worker, At::Source(&session), At::Source(&session)] {
        let mut running = shell(LINGER).start(at, Stdin::Empty).await.unwrap();
        let mut line = String::new();
        BufReader::new(running.stdout.take().unwrap())
            .read_line(&mut line)
            .await
            .unwrap();
        let pids: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        assert!(pids.iter().all(|pid| alive(pid)), "{line}");
        lingering.push((running, pids));
    }
    let (lost, of_lost) = lingering.pop().unwrap();
    for (dropped, pids) in lingering {
        drop(dropped);
        eventually("a dropped program ends", SOON, async || !alive(&pids[0])).await;
    }
    server.kill_connections();
    eventually("a program without connection ends", SOON, async || !alive(&of_lost[0])).await;
    assert_eq!(lost.wait().await.unwrap_err().code, ErrorCode::TransferInterrupted);
}

#[tokio::test]
async fn short_runs_are_bounded_in_bytes_and_time() {
    let (_server, _place, session) = source().await;
    let cancel = CancellationToken::new();
    for at in [At::Worker, At::Source(&session)] {
        let limits = Limits {
            bytes: 1000,
            time: SOON,
        };
        let error = shell("yes").run(at, Stdin::Empty, limits, &cancel).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::SourceLimit, "{error}");
        let limits = Limits {
            time: Duration::from_millis(300),
            ..Limits::default()
        };
        let slow = shell("echo still busy >&2; exec sleep 1000");
        let error = slow.run(at, Stdin::Empty, limits, &cancel).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::TransferInterrupted, "{error}");
        assert!(error.message.contains("still busy"), "{error}");
    }
    session.close().await;
}
