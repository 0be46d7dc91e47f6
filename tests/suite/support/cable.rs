//! A TCP connection between two parts of the product that a test can cut, silence and mend.
//!
//! Peers connect to the cable's port instead of the real one. Silence is what a dead switch or a
//! forgetful firewall looks like: nothing arrives, and nobody is told.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Most bytes moved at once.
const CHUNK: usize = 16 * 1024;

/// Where the far end is.
#[derive(Clone)]
pub enum Far {
    /// A port on loopback.
    Port(u16),
    /// A socket in the file system.
    Socket(PathBuf),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Everything passes.
    Open,
    /// Nothing passes and nobody is told; it passes later.
    Silent,
    /// Connections end, and new ones end at once.
    Cut,
}

#[derive(Clone, Copy)]
struct State {
    way: Way,
    /// Connections before this one carry nothing any more, ever.
    lost_before: u64,
    /// Connections before this one were cut. Kept beside `way`, because a cut that is mended at once must not be
    /// missed.
    cut_before: u64,
}

impl State {
    fn cuts(&self, me: u64) -> bool {
        self.way == Way::Cut || me < self.cut_before
    }
}

/// A cable; everything on it ends with the value.
pub struct Cable {
    /// Where to connect instead.
    pub port: u16,
    state: Arc<watch::Sender<State>>,
    made: Arc<AtomicU64>,
    _stop: DropGuard,
}

impl Cable {
    /// A cable to `far`; with `pace`, at most so many bytes per second come back from there on each connection.
    pub async fn to(far: Far, pace: Option<u64>) -> Self {
        Self::between("127.0.0.1", far, pace).await
    }

    /// As [`Cable::to`], with its near end on this address.
    pub async fn between(address: &str, far: Far, pace: Option<u64>) -> Self {
        let listener = TcpListener::bind((address, 0)).await.expect("an address of ours");
        let port = listener.local_addr().expect("bound").port();
        let open = State {
            way: Way::Open,
            lost_before: 0,
            cut_before: 0,
        };
        let state = Arc::new(watch::Sender::new(open));
        let made = Arc::new(AtomicU64::new(0));
        let stop = CancellationToken::new();
        let (ends, ways, number) = (stop.clone(), Arc::clone(&state), Arc::clone(&made));
        tokio::spawn(async move {
            while let Some(Ok((near, _))) = ends.run_until_cancelled(listener.accept()).await {
                let me = number.fetch_add(1, Ordering::SeqCst);
                let (ends, ways, far) = (ends.clone(), ways.subscribe(), far.clone());
                tokio::spawn(async move {
                    ends.run_until_cancelled(carry(near, far, ways, me, pace)).await;
                });
            }
        });
        Self {
            port,
            state,
            made,
            _stop: stop.drop_guard(),
        }
    }

    /// Ends every connection; new ones end at once.
    pub fn cut(&self) {
        let made = self.made.load(Ordering::SeqCst);
        self.state.send_modify(|state| {
            state.way = Way::Cut;
            state.cut_before = made;
        });
    }

    /// Nothing passes any more, and nobody is told.
    pub fn silence(&self) {
        self.set(Way::Silent);
    }

    /// The present connections carry nothing any more, for ever; new ones work.
    pub fn forget(&self) {
        let made = self.made.load(Ordering::SeqCst);
        self.state.send_modify(|state| state.lost_before = made);
    }

    /// Everything passes again, except on what was forgotten.
    pub fn mend(&self) {
        self.set(Way::Open);
    }

    fn set(&self, way: Way) {
        self.state.send_modify(|state| state.way = way);
    }
}

async fn carry(near: TcpStream, far: Far, mut ways: watch::Receiver<State>, me: u64, pace: Option<u64>) {
    if passes(&mut ways, me).await.is_err() {
        return;
    }
    let _ = near.set_nodelay(true);
    match far {
        Far::Port(port) => {
            let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else {
                return;
            };
            let _ = far.set_nodelay(true);
            let (reader, writer) = far.into_split();
            both(near, reader, writer, ways, me, pace).await;
        }
        Far::Socket(path) => {
            let Ok(far) = UnixStream::connect(path).await else {
                return;
            };
            let (reader, writer) = far.into_split();
            both(near, reader, writer, ways, me, pace).await;
        }
    }
}

async fn both(
    near: TcpStream,
    far_reader: impl AsyncRead + Unpin,
    far_writer: impl AsyncWrite + Unpin,
    ways: watch::Receiver<State>,
    me: u64,
    pace: Option<u64>,
) {
    let (near_reader, near_writer) = near.into_split();
    let mut until_cut = ways.clone();
    tokio::select! {
        _ = until_cut.wait_for(|state| state.cuts(me)) => {}
        // A half-closed connection still carries answers.
        _ = async {
            tokio::join!(
                pump(near_reader, far_writer, ways.clone(), me, None),
                pump(far_reader, near_writer, ways.clone(), me, pace),
            )
        } => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut ways: watch::Receiver<State>,
    me: u64,
    pace: Option<u64>,
) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk).await.unwrap_or(0);
        // Also an end is news, which silence does not carry.
        if passes(&mut ways, me).await.is_err() || read == 0 || to.write_all(&chunk[..read]).await.is_err() {
            break;
        }
        if let Some(pace) = pace {
            tokio::time::sleep(Duration::from_secs_f64(read as f64 / pace as f64)).await;
        }
    }
    let _ = to.shutdown().await;
}

/// Waits until connection `me` may carry something; fails once the cable is cut.
async fn passes(ways: &mut watch::Receiver<State>, me: u64) -> Result<(), ()> {
    let moves = |state: &State| state.cuts(me) || (state.way == Way::Open && me >= state.lost_before);
    match ways.wait_for(moves).await {
        Ok(state) if !state.cuts(me) => Ok(()),
        _ => Err(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cable_carries_holds_and_cuts() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = server.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    let cable = Cable::to(Far::Port(port), None).await;
    let mut peer = TcpStream::connect(("127.0.0.1", cable.port)).await.unwrap();
    let mut answer = [0; 4];
    peer.write_all(b"ping").await.unwrap();
    peer.read_exact(&mut answer).await.unwrap();

    cable.silence();
    peer.write_all(b"hush").await.unwrap();
    let silent = tokio::time::timeout(Duration::from_millis(100), peer.read_exact(&mut answer));
    assert!(silent.await.is_err());
    cable.mend();
    peer.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"hush");

    cable.forget();
    peer.write_all(b"lost").await.unwrap();
    let mut other = TcpStream::connect(("127.0.0.1", cable.port)).await.unwrap();
    other.write_all(b"ping").await.unwrap();
    other.read_exact(&mut answer).await.unwrap();
    let lost = tokio::time::timeout(Duration::from_millis(100), peer.read_exact(&mut answer));
    assert!(lost.await.is_err());

    cable.cut();
    assert_eq!(other.read(&mut answer).await.unwrap_or(0), 0);
}
