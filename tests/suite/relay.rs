//! The private socket that leads client programs to a server: directly, or through SSH.

use std::sync::Arc;

use rustix::net::sockopt::set_socket_linger;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinHandle,
};
use xvault::{
    connectors::{
        egress::EgressPolicy,
        relay::{Plain, Relay, Route},
        ssh::session::{FarEnd, SshSession},
    },
    domain::{error_code::ErrorCode, job::JobError, source::SourceKind},
};

use crate::support::{
    eventually::{SOON, eventually_some},
    ssh_place::Place,
    sshd::{Setup, Sshd},
};

/// A server that sends back what it gets, for as long as this value lives.
struct Echo {
    port: u16,
    task: JoinHandle<()>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        Self { port, task }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn direct(place: &Place, port: u16) -> Route {
    Route::Direct {
        host: "127.0.0.1".into(),
        port,
        egress: Arc::clone(&place.ctx.egress),
    }
}

fn start(place: &Place, route: Route) -> Relay {
    Relay::start(&place.ctx, "server.sock", route, Arc::new(Plain)).unwrap()
}

/// Sends more than any buffer on the way holds, and gets it back.
async fn echoes(relay: &Relay) {
    let sent: Vec<u8> = (0..5_000_000_u32).map(|i| (i % 251) as u8).collect();
    let (mut from, mut to) = UnixStream::connect(relay.socket()).await.unwrap().into_split();
    let copy = sent.clone();
    let writing = tokio::spawn(async move {
        to.write_all(&copy).await.unwrap();
        to
    });
    let mut got = vec![0; sent.len()];
    from.read_exact(&mut got).await.unwrap();
    assert!(got == sent);
    drop(writing.await.unwrap());
    assert_eq!(relay.take_failure(), None);
}

/// Connects in vain; what the relay says about that.
async fn failure(relay: &Relay) -> JobError {
    let mut client = UnixStream::connect(relay.socket()).await.unwrap();
    // Closed, or reset with our byte unread.
    let _ = client.write_all(b"?").await;
    assert!(matches!(client.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    eventually_some("the failure is told", SOON, async || relay.take_failure()).await
}

async fn session(server: &Sshd, place: &Place) -> SshSession {
    place.connect(&server.source(SourceKind::Ssh, &["/"])).await.unwrap()
}

#[tokio::test]
async fn programs_reach_the_server_through_a_private_socket_that_goes_with_the_relay() {
    let (echo, place) = (Echo::start().await, Place::new());
    let relay = start(&place, direct(&place, echo.port));
    echoes(&relay).await;
    let mode = std::fs::metadata(relay.dir()).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&mode) & 0o777, 0o700);

    let mut open = UnixStream::connect(relay.socket()).await.unwrap();
    open.write_all(b"x").await.unwrap();
    open.read_exact(&mut [0; 1]).await.unwrap();
    drop(relay);
    assert!(matches!(open.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    assert_eq!(place.left_behind(), 0);
}

#[tokio::test]
async fn what_keeps_a_program_from_the_server_is_told_by_its_cause() {
    let place = Place::new();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let error = failure(&start(&place, direct(&place, port))).await;
    assert_eq!(error.code, ErrorCode::ConnectFailed);
    assert!(error.message.contains(&format!("127.0.0.1:{port}")), "{error}");

    let forbidden = Route::Direct {
        host: "127.0.0.1".into(),
        port,
        egress: Arc::new(EgressPolicy::default()),
    };
    let error = failure(&start(&place, forbidden)).await;
    assert_eq!(error.code, ErrorCode::AddressForbidden);
}

#[tokio::test]
async fn a_connection_that_breaks_is_told() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay = start(&place, direct(&place, listener.local_addr().unwrap().port()));
    let mut client = UnixStream::connect(relay.socket()).await.unwrap();
    let (mut server, _): (TcpStream, _) = listener.accept().await.unwrap();
    server.write_all(b"half").await.unwrap();
    client.read_exact(&mut [0; 4]).await.unwrap();
    // Closing it now resets it.
    set_socket_linger(&server, Some(std::time::Duration::ZERO)).unwrap();
    drop(server);
    assert!(matches!(client.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    let error = eventually_some("the failure is told", SOON, async || relay.take_failure()).await;
    assert_eq!(error.code, ErrorCode::TransferInterrupted);
}

#[tokio::test]
async fn a_port_and_a_socket_of_the_far_host_are_reached_through_ssh() {
    let (server, place, echo) = (Sshd::start(), Place::new(), Echo::start().await);
    let session = session(&server, &place).await;
    let forward = session
        .forward(FarEnd::Tcp("127.0.0.1".into(), echo.port))
        .await
        .unwrap();
    let relay = start(&place, Route::Forwarded(forward));
    echoes(&relay).await;

    // The relay's own socket serves as the far host's.
    let far = FarEnd::Socket(relay.socket().to_owned());
    let second = start(&place, Route::Forwarded(session.forward(far).await.unwrap()));
    echoes(&second).await;

    drop((relay, second));
    session.close().await;
    assert_eq!(place.left_behind(), 0);
}

#[tokio::test]
async fn what_the_far_host_refuses_is_told_with_its_reason() {
    let forbids = Setup {
        extra: "AllowTcpForwarding no",
        ..Setup::default()
    };
    let (server, strict, place) = (Sshd::start(), Sshd::with(forbids), Place::new());
    let closed = FarEnd::Tcp("127.0.0.1".into(), 1);

    let over = session(&server, &place).await;
    let relay = start(&place, Route::Forwarded(over.forward(closed.clone()).await.unwrap()));
    for _ in 0..2 {
        let error = failure(&relay).await;
        assert_eq!(error.code, ErrorCode::ConnectFailed);
        assert!(
            error.message.contains("127.0.0.1:1") && error.message.contains("refused"),
            "{error}"
        );
    }
    drop(relay);
    over.close().await;

    let over = session(&strict, &place).await;
    let relay = start(&place, Route::Forwarded(over.forward(closed).await.unwrap()));
    let error = failure(&relay).await;
    assert_eq!(error.code, ErrorCode::ForwardingForbidden);
    assert!(error.message.contains("forbids"), "{error}");
    drop(relay);
    over.close().await;
    assert_eq!(place.left_behind(), 0);
}
