//! What runs over one connection: commands, their real end, SFTP, and losing it all.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use xvault::{
    connectors::{
        local::Exit,
        private_dir::sweep_stale,
        ssh::{SshSource, session::SshSession},
    },
    domain::{
        brief::SourceBrief,
        error_code::ErrorCode,
        source::{SourceConfig, SourceKind},
    },
};

use crate::support::{
    eventually::{SOON, eventually},
    ssh_place::Place,
    sshd::{Login, Setup, Sshd, descendants},
};

async fn connect(server: &Sshd, place: &Place, kind: SourceKind) -> SshSession {
    place.connect(&server.source(kind, &["/"])).await.unwrap()
}

fn alive(pid: &str) -> bool {
    // A zombie has ended; whoever started it has not looked yet.
    std::fs::read_to_string(Path::new("/proc").join(pid).join("stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn commands_get_input_and_give_output_and_codes() {
    let (server, place) = (Sshd::start(), Place::new());
    let session = connect(&server, &place, SourceKind::Ssh).await;
    let mut child = session.exec("cat; echo \"it's\" >&2; exit 3").await.unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"some bytes\0\xff").await.unwrap();
    drop(stdin);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    child.stdout.take().unwrap().read_to_end(&mut out).await.unwrap();
    child.stderr.take().unwrap().read_to_end(&mut err).await.unwrap();
    assert_eq!(
        (out.as_slice(), err.as_slice()),
        (b"some bytes\0\xff".as_slice(), b"it's\n".as_slice())
    );
    assert_eq!(child.wait().await.unwrap(), Exit::Code(3));
    assert_eq!(session.run("no-such-program-here").await.unwrap().exit, Exit::Code(127));
    assert_eq!(session.run("kill -KILL $$").await.unwrap().exit, Exit::Signal);
    session.close().await;
}

#[tokio::test]
async fn banners_of_login_shells_are_dropped() {
    let (server, place) = (
        Sshd::with(Setup {
            login: Login::Fresh,
            ..Setup::default()
        }),
        Place::new(),
    );
    std::fs::write(
        server.home().join(".bashrc"),
        "echo Welcome; printf 'no newline'; echo noise >&2\n",
    )
    .unwrap();
    let session = connect(&server, &place, SourceKind::Ssh).await;
    assert!(session.has_shell().await.unwrap());
    assert_eq!(session.run("echo first").await.unwrap().stdout, b"first\n");
    session.close().await;
}

#[tokio::test]
async fn killing_ends_the_remote_process_and_its_children() {
    let (server, place) = (Sshd::start(), Place::new());
    let session = connect(&server, &place, SourceKind::Ssh).await;
    // Neither reads nor writes, so nothing but a signal ends it; one of the two ignores the mild one.
    let mut child = session
        .exec("sh -c 'trap : TERM; echo $$; while :; do sleep 1; done' & echo $$; wait")
        .await
        .unwrap();
    let mut pids = String::new();
    let mut stdout = child.stdout.take().unwrap();
    while pids.lines().count() < 2 {
        let mut buffer = [0; 64];
        let count = stdout.read(&mut buffer).await.unwrap();
        pids.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    let pids: Vec<&str> = pids.lines().collect();
    assert!(pids.iter().all(|pid| alive(pid)), "{pids:?}");
    child.kill().await.unwrap();
    assert!(!pids.iter().any(|pid| alive(pid)), "{pids:?}");
    session.close().await;
}

#[tokio::test]
async fn an_sftp_source_runs_no_command() {
    let (server, place) = (Sshd::start(), Place::new());
    let session = connect(&server, &place, SourceKind::Sftp).await;
    assert!(!session.has_shell().await.unwrap());
    assert_eq!(session.exec("true").await.unwrap_err().code, ErrorCode::Internal);
    session.sftp_subsystem().await.unwrap();
    session.close().await;
    assert!(!server.log().contains("Starting session: command"), "{}", server.log());
}

#[tokio::test]
async fn an_account_without_a_shell_is_recognised() {
    let (server, place) = (
        Sshd::with(Setup {
            login: Login::SftpOnly,
            ..Setup::default()
        }),
        Place::new(),
    );
    let session = connect(&server, &place, SourceKind::Ssh).await;
    assert!(!session.has_shell().await.unwrap());
    // The connection is as good as before.
    let mut channel = session.sftp_subsystem().await.unwrap();
    let (mut stdin, mut stdout) = (channel.stdin.take().unwrap(), channel.stdout.take().unwrap());
    stdin.write_all(&[0, 0, 0, 5, 1, 0, 0, 0, 3]).await.unwrap();
    let mut reply = [0; 5];
    stdout.read_exact(&mut reply).await.unwrap();
    assert_eq!(reply[4], 2, "SSH_FXP_VERSION");
    session.close().await;
}

#[tokio::test]
async fn a_lost_connection_is_noticed_and_leaves_nothing() {
    let (server, place) = (Sshd::start(), Place::new());
    let session = connect(&server, &place, SourceKind::Ssh).await;
    let mut child = session.exec("exec sleep 1000").await.unwrap();
    server.kill_connections();
    let mut rest = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut rest).await.unwrap();
    let error = child.wait().await.unwrap_err();
    assert_eq!(error.code, ErrorCode::TransferInterrupted);
    assert!(error.message.contains("127.0.0.1"), "{error}");
    assert!(session.is_lost().await);
    assert_eq!(
        session.sftp_subsystem().await.unwrap_err().code,
        ErrorCode::TransferInterrupted
    );
    drop(session);
    eventually("the session's directory is gone", SOON, async || {
        place.left_behind() == 0
    })
    .await;
    // And the next one works at once.
    connect(&server, &place, SourceKind::Ssh).await.close().await;
}

#[tokio::test]
async fn connecting_can_be_given_up_at_any_moment() {
    let (server, place) = (Sshd::start(), Place::new());
    let source = server.source(SourceKind::Ssh, &["/"]);
    for delay in [0, 5, 20, 50, 100, 200] {
        let _ = tokio::time::timeout(Duration::from_millis(delay), place.connect(&source)).await;
    }
    eventually("nothing is left", SOON, async || place.left_behind() == 0).await;
}

#[tokio::test]
async fn directories_of_living_sessions_are_not_swept() {
    let (server, place) = (Sshd::start(), Place::new());
    let session = connect(&server, &place, SourceKind::Ssh).await;
    let stale = place.ctx.tmp_dir.join("conn-stale");
    std::fs::create_dir(&stale).unwrap();
    std::fs::write(stale.join("lock"), "").unwrap();
    sweep_stale(&place.ctx.tmp_dir).unwrap();
    assert_eq!(place.left_behind(), 1);
    assert!(session.has_shell().await.unwrap());
    session.close().await;
}

/// Set in the process that is to be killed: the source of the source it connects to.
const HOLD: &str = "XVAULT_TEST_HOLD";

/// Runs itself a second time as the worker that gets killed.
#[tokio::test]
async fn nothing_outlives_a_killed_worker_and_the_next_one_cleans_up() {
    let mut place = Place::new();
    if let Ok(held) = std::env::var(HOLD) {
        let (tmp_dir, source) = held.split_once('\n').unwrap();
        place.ctx.tmp_dir = tmp_dir.into();
        let received: SourceBrief = serde_json::from_str(source).unwrap();
        let SourceConfig::Ssh(config) = received.config else {
            panic!("{received:?}");
        };
        let source = SshSource {
            config,
            credentials: received.credentials,
            identity: received.identity,
            runs_commands: true,
        };
        let _session = place.connect(&source).await.unwrap();
        eprintln!("connected");
        return std::future::pending().await;
    }
    let server = Sshd::start();
    let source = server.source(SourceKind::Ssh, &["/"]);
    let brief = SourceBrief {
        config: SourceConfig::Ssh(source.config),
        credentials: source.credentials,
        identity: source.identity,
    };
    let brief = serde_json::to_string(&brief).unwrap();
    let name = "ssh_channels::nothing_outlives_a_killed_worker_and_the_next_one_cleans_up";
    let mut worker = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", name])
        .env(HOLD, format!("{}\n{brief}", place.ctx.tmp_dir.display()))
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(worker.stderr.take().unwrap()).lines();
    while said.next_line().await.unwrap().expect("it connects") != "connected" {}
    let children = descendants(worker.id().unwrap());
    assert!(!children.is_empty());

    worker.kill().await.unwrap();
    let gone = async || !children.iter().any(|pid| alive(&pid.to_string()));
    eventually("its ssh processes are gone", SOON, gone).await;
    assert_eq!(place.left_behind(), 1);
    assert_eq!(sweep_stale(&place.ctx.tmp_dir).unwrap(), 1);
    assert_eq!(place.left_behind(), 0);
}
