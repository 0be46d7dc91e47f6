//! A private socket on the worker that leads to one server: what client programs (`psql`,
//! `mariadb-dump`, …) are told to connect to.
//!
//! The worker makes the connection itself: the address is checked where it is used, TLS is ours, or the
//! connection goes through SSH. So the programs need no TLS options, resolve no names and see no network.
//! Knows sockets; of a protocol it knows only that its [`Opening`] comes before the bytes that are
//! passed on as they are.

mod carry;
mod opening;
mod route;
mod wire;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream},
    task::{AbortHandle, JoinSet},
};

use super::{open::ConnectorContext, private_dir::PrivateDir};
use crate::domain::{error_code::ErrorCode, job::JobError};

pub use opening::{Opening, Plain};
pub use route::Route;
pub use wire::{Duplex, Wire};

/// Most connections at a time. A dump has one; parallel ones a few.
const MAX_CONNECTIONS: usize = 16;

/// For connecting and everything until bytes are passed on as they are.
const OPENING_TIMEOUT: Duration = Duration::from_secs(60);

/// A socket that leads to a server for as long as this value lives; dropping it ends every connection.
#[derive(Debug)]
pub struct Relay {
    dir: PrivateDir,
    socket: PathBuf,
    failure: Failure,
    listener: AbortHandle,
}

/// The first thing that went wrong since it was last asked for.
#[derive(Debug, Clone, Default)]
struct Failure(Arc<Mutex<Option<JobError>>>);

impl Relay {
    /// Listens on a socket of this name (at most 20 characters) in a private directory. Nothing is connected
    /// to before a program does so; each connection takes `route` anew and begins with `opening`.
    ///
    /// # Errors
    /// `internal` if the worker's temporary directory cannot hold a socket.
    pub fn start(
        ctx: &ConnectorContext,
        name: &str,
        route: Route,
        opening: Arc<dyn Opening>,
    ) -> Result<Self, JobError> {
        let local = |error: std::io::Error| {
            JobError::new(
                ErrorCode::Internal,
                format!("the worker could not listen in {}: {error}", ctx.tmp_dir.display()),
                "Check the worker's temporary directory (XVAULT_TMP_DIR).",
            )
        };
        let dir = PrivateDir::create(&ctx.tmp_dir).map_err(local)?;
        let socket = dir.path().join(name);
        let listener = UnixListener::bind(&socket).map_err(local)?;
        let failure = Failure::default();
        let listening = tokio::spawn(listen(listener, route, opening, failure.clone()));
        Ok(Self {
            dir,
            socket,
            failure,
            listener: listening.abort_handle(),
        })
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The directory that holds nothing but the socket: some programs are told this.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What kept a program from reaching the server, or broke its connection, since this was last asked. It
    /// tells more than the program, which only sees its socket close.
    pub fn take_failure(&self) -> Option<JobError> {
        self.failure.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Failure {
    fn note(&self, error: JobError) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.get_or_insert(error);
    }
}

/// Serves until it is aborted, which ends the connections with it.
async fn listen(listener: UnixListener, route: Route, opening: Arc<dyn Opening>, failure: Failure) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((client, _)) => {
                    let (route, opening, failure) = (route.clone(), Arc::clone(&opening), failure.clone());
                    connections.spawn(async move {
                        if let Err(error) = serve(client, &route, opening.as_ref()).await {
                            failure.note(error);
                        }
                    });
                }
                Err(error) => {
                    // Out of descriptors, perhaps: the next attempt may find one.
                    tracing::warn!(%error, "a relay could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut client: UnixStream, route: &Route, opening: &dyn Opening) -> Result<(), JobError> {
    let refused_before = route.refusals();
    let opened = tokio::time::timeout(OPENING_TIMEOUT, async {
        let server = route.connect().await?;
        opening.open(server, &mut client).await
    });
    let result = match opened.await {
        Ok(Ok(server)) => carry::carry(client, server).await.map_err(|error| {
            JobError::new(
                ErrorCode::TransferInterrupted,
                format!("the connection to {route} was lost: {error}"),
                "Nothing incomplete was kept. Check the server and the network; it is tried again by itself.",
            )
        }),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(JobError::new(
            ErrorCode::ConnectFailed,
            format!(
                "{route} did not finish its greeting within {} s",
                OPENING_TIMEOUT.as_secs()
            ),
            "Check host and port, and that the server is not overloaded.",
        )),
    };
    match result {
        Ok(true) => Ok(()),
        // A refused forwarding looks like a server that hangs up; SSH knows better.
        Ok(false) => route.refusal(refused_before).await.map_or(Ok(()), Err),
        Err(error) => Err(route.refusal(refused_before).await.unwrap_or(error)),
    }
}
