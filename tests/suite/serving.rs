//! Clients that send the head of a request for ever, or nothing at all.

use std::time::Duration;

use axum::{Router, http::Extensions, routing::get};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use xvault::serving::{Bounds, serve};

use super::support::eventually::SOON;

struct Server {
    address: std::net::SocketAddr,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

async fn start(bounds: Bounds) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let slow = get(async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        "done"
    });
    let router = Router::new().route("/", get(async || "hello")).route("/slow", slow);
    let open = |stream, _| (stream, Extensions::new());
    let serving = tokio::spawn(serve(listener, router, bounds, stop.clone(), open));
    Server { address, stop, serving }
}

async fn ends(mut connection: TcpStream) -> String {
    let mut text = String::new();
    let read = tokio::time::timeout(SOON, connection.read_to_string(&mut text)).await;
    read.expect("the connection ends").unwrap();
    text
}

#[tokio::test]
async fn slow_heads_and_idle_connections_are_ended_and_others_served() {
    let head = Duration::from_millis(300);
    let server = start(Bounds { connections: 2, head }).await;
    let silent = TcpStream::connect(server.address).await.unwrap();
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Never").await.unwrap();
    // Both places are taken; this one waits for the end of the first.
    let mut third = TcpStream::connect(server.address).await.unwrap();
    third.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(ends(silent).await, "");
    assert!(!ends(slow).await.contains("200 OK"));
    // Answered, and closed only once it is idle for too long.
    let answer = ends(third).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("hello"),
        "{answer}"
    );
}

#[tokio::test]
async fn stopping_finishes_answers_and_does_not_wait_for_the_idle() {
    let server = start(Bounds::default()).await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    // Until the request has been read, it is as idle as the other.
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop.cancel();
    let answer = ends(busy).await;
    assert!(
        answer.ends_with("done") && answer.contains("connection: close"),
        "{answer}"
    );
    assert_eq!(ends(idle).await, "");
    tokio::time::timeout(SOON, server.serving)
        .await
        .expect("it ends")
        .unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}
