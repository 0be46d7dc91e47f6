//! Accepting connections and serving them HTTP/1.1, with bounds that strangers cannot pass: on how many there
//! are, and on how long one may take to send the head of a request or stay idle between two.
//!
//! Knows nothing of what is served. Proxies in front speak HTTP/2 and TLS with the world.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    http::{Extensions, HeaderMap},
};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

/// Pause after the system refused a connection, most likely for want of file descriptors.
const BREATHER: Duration = Duration::from_millis(500);

/// What strangers may use up.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// How long the head of a request may take, counted from the end of the one before. Longer than
    /// the minute for which proxies keep idle connections, so that it is they who close them.
    pub head: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 2000,
            head: Duration::from_secs(75),
        }
    }
}

/// Serves `router` until `stop` fires; then takes no more connections, closes idle ones and finishes the
/// answers under way. `open` makes of each connection what is read and written, and what its requests carry.
pub async fn serve<Io>(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    stop: CancellationToken,
    open: impl Fn(TcpStream, SocketAddr) -> (Io, Extensions),
) where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (graceful, places) = (GracefulShutdown::new(), Arc::new(Semaphore::new(bounds.connections)));
    let answers = TowerToHyperService::new(router);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.head);
    loop {
        let (stream, address, place) = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = stop.cancelled() => break,
        };
        let (io, extensions) = open(stream, address);
        let answers = answers.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().extend(extensions.clone());
            answers.call(request)
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(io), service));
        tokio::spawn(async move {
            // Clients come and go; what matters is logged where the request is handled.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// The next connection, and its place among those there may be.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            // Nobody closes the semaphore.
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address, place),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(BREATHER).await;
            }
        }
    }
}

/// True if a request comes from a program on this machine, not from somebody whom a proxy on it let through.
pub fn is_local(peer: IpAddr, headers: &HeaderMap) -> bool {
    let passed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    peer.to_canonical().is_loopback() && !passed_on.iter().any(|name| headers.contains_key(*name))
}
