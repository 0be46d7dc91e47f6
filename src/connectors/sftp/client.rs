//! A connection: requests go out as they come, replies find their request by its id.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    REQUESTS_IN_FLIGHT, STALL,
    error::SftpError,
    extensions::Extensions,
    packet::{self, Fields, MAX_PACKET, Request},
    replies::Pending,
};

/// Bytes of content in one packet that every server must support.
const DEFAULT_CONTENT: u32 = 32 * 1024;
/// Buffers that replies are read into; a slice of one keeps it alive.
const BUFFER: usize = 512 * 1024;
/// For the server to say its version.
const GREETING: Duration = Duration::from_secs(60);

/// A conversation with an SFTP server. Dropping it ends both directions.
#[derive(Debug)]
pub struct SftpClient {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Bytes>,
    slots: Arc<Semaphore>,
    limits: Limits,
    extensions: Extensions,
    _tasks: JoinSet<()>,
}

/// What the server said it can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes to ask for in one read.
    pub read: u32,
    /// Bytes to send in one write.
    pub write: u32,
    /// Files and directories open at once.
    pub handles: usize,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next_id: u32,
    waiting: HashMap<u32, Waiting>,
    last_sent: Instant,
    failure: Option<SftpError>,
}

#[derive(Debug)]
struct Waiting {
    reply: oneshot::Sender<Result<(u8, Fields), SftpError>>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding it, and the map is sound at every point.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the conversation: everyone waiting, and everyone to come, gets `error`.
    fn fail(&self, error: SftpError) {
        let mut state = self.lock();
        let error = state.failure.get_or_insert(error).clone();
        for (_, waiting) in state.waiting.drain() {
            let _ = waiting.reply.send(Err(error.clone()));
        }
    }

    fn deliver(&self, mut packet: Fields) -> Result<(), SftpError> {
        let kind = packet.u8()?;
        let id = packet.u32()?;
        let waiting = self.lock().waiting.remove(&id);
        let waiting =
            waiting.ok_or_else(|| SftpError::Protocol(format!("a reply to request {id}, which was not made")))?;
        // Nobody waits for the answer to a close.
        let _ = waiting.reply.send(Ok((kind, packet)));
        Ok(())
    }
}

impl SftpClient {
    /// Greets the server and asks for its limits.
    ///
    /// # Errors
    /// [`SftpError::Closed`] before the greeting means that there is no SFTP server.
    pub async fn start<R, W>(reader: R, writer: W) -> Result<Self, SftpError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        Self::with_patience(reader, writer, STALL).await
    }

    /// The same, giving up a server that owes an answer and sends nothing for `stall`.
    ///
    /// # Errors
    /// As [`SftpClient::start`].
    pub async fn with_patience<R, W>(mut reader: R, mut writer: W, stall: Duration) -> Result<Self, SftpError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let greeting = timeout(GREETING, async {
            let hello = Request::new(packet::INIT, packet::VERSION).finish();
            writer.write_all(&hello).await.map_err(|_| SftpError::Closed)?;
            writer.flush().await.map_err(|_| SftpError::Closed)?;
            let mut buffer = BytesMut::with_capacity(4096);
            read_greeting(&mut reader, &mut buffer)
                .await
                .map(|fields| (fields, buffer))
        });
        let (mut greeting, buffer) = greeting.await.map_err(|_| SftpError::Stalled(GREETING))??;
        let extensions = offered(&mut greeting)?;
        let state = State {
            next_id: 0,
            waiting: HashMap::new(),
            last_sent: Instant::now(),
            failure: None,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
        });
        let (requests, outgoing) = mpsc::channel(REQUESTS_IN_FLIGHT);
        let mut tasks = JoinSet::new();
        tasks.spawn(write_requests(writer, outgoing, Arc::clone(&shared)));
        tasks.spawn(read_replies(reader, buffer, Arc::clone(&shared), stall));
        let mut client = Self {
            shared,
            requests,
            slots: Arc::new(Semaphore::new(REQUESTS_IN_FLIGHT)),
            limits: Limits {
                read: DEFAULT_CONTENT,
                write: DEFAULT_CONTENT,
                handles: 64,
            },
            extensions,
            _tasks: tasks,
        };
        if extensions.limits {
            client.limits = client.ask_limits().await?;
        }
        Ok(client)
    }

    /// What the server can take.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What the server can do beyond the standard.
    pub fn extensions(&self) -> Extensions {
        self.extensions
    }

    async fn ask_limits(&self) -> Result<Limits, SftpError> {
        let reply = self
            .send(packet::EXTENDED, |request| request.string(b"limits@openssh.com"))
            .await?;
        let mut fields = match reply.extended().await {
            Ok(fields) => fields,
            Err(error) if error.code().is_some() => return Ok(self.limits),
            Err(error) => return Err(error),
        };
        let (_packet, read, write, handles) = (fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?);
        let content = |said: u64| match said {
            0 => DEFAULT_CONTENT,
            said => said.clamp(512, MAX_PACKET as u64 - 2048) as u32,
        };
        Ok(Limits {
            read: content(read),
            write: content(write),
            handles: match handles {
                0 => 256,
                handles => handles.clamp(8, 256) as usize,
            },
        })
    }

    /// Sends a request as soon as a slot is free.
    pub(super) async fn send(&self, kind: u8, fields: impl FnOnce(Request) -> Request) -> Result<Pending, SftpError> {
        // The semaphore is never closed.
        let slot = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .map_err(|_| SftpError::Closed)?;
        self.enqueue(kind, fields, Some(slot)).await
    }

    async fn enqueue(
        &self,
        kind: u8,
        fields: impl FnOnce(Request) -> Request,
        slot: Option<OwnedSemaphorePermit>,
    ) -> Result<Pending, SftpError> {
        let (sender, reply) = oneshot::channel();
        let id = {
            let mut state = self.shared.lock();
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            let mut id = state.next_id;
            while state.waiting.contains_key(&id) {
                id = id.wrapping_add(1);
            }
            state.next_id = id.wrapping_add(1);
            state.last_sent = Instant::now();
            let waiting = Waiting {
                reply: sender,
                _slot: slot,
            };
            state.waiting.insert(id, waiting);
            id
        };
        let packet = fields(Request::new(kind, id)).finish();
        if self.requests.send(packet).await.is_err() {
            self.shared.fail(SftpError::Closed);
        }
        Ok(Pending { reply })
    }

    /// Opens a file for reading.
    pub async fn open(&self, path: &[u8]) -> Result<Pending, SftpError> {
        const READ_ONLY: u32 = 1;
        self.send(packet::OPEN, |r| r.string(path).u32(READ_ONLY).u32(0)).await
    }

    /// Reads from an open file.
    pub async fn read(&self, handle: &[u8], offset: u64, length: u32) -> Result<Pending, SftpError> {
        self.send(packet::READ, |r| r.string(handle).u64(offset).u32(length))
            .await
    }

    /// Closes a handle; the answer does not matter and is not waited for.
    pub async fn close(&self, handle: &[u8]) -> Result<(), SftpError> {
        self.enqueue(packet::CLOSE, |r| r.string(handle), None).await.map(drop)
    }

    /// Opens a directory.
    pub async fn open_dir(&self, path: &[u8]) -> Result<Pending, SftpError> {
        self.send(packet::OPENDIR, |r| r.string(path)).await
    }

    /// Reads the next names of an open directory.
    pub async fn read_dir(&self, handle: &[u8]) -> Result<Pending, SftpError> {
        self.send(packet::READDIR, |r| r.string(handle)).await
    }

    /// Attributes of what a path leads to.
    pub async fn stat(&self, path: &[u8]) -> Result<Pending, SftpError> {
        self.send(packet::STAT, |r| r.string(path)).await
    }

    /// Attributes of a path itself, be it a link.
    pub async fn lstat(&self, path: &[u8]) -> Result<Pending, SftpError> {
        self.send(packet::LSTAT, |r| r.string(path)).await
    }

    /// Attributes of an open file.
    pub async fn fstat(&self, handle: &[u8]) -> Result<Pending, SftpError> {
        self.send(packet::FSTAT, |r| r.string(handle)).await
    }

    /// The target of a symbolic link.
    pub async fn read_link(&self, path: &[u8]) -> Result<Pending, SftpError> {
        self.send(packet::READLINK, |r| r.string(path)).await
    }

    /// The absolute path without links.
    pub async fn real_path(&self, path: &[u8]) -> Result<Pending, SftpError> {
        self.send(packet::REALPATH, |r| r.string(path)).await
    }
}

async fn read_greeting<R: AsyncRead + Unpin>(reader: &mut R, buffer: &mut BytesMut) -> Result<Fields, SftpError> {
    loop {
        if buffer.len() >= 5 && buffer[4] != packet::VERSION_REPLY {
            let text = "it does not greet as an SFTP server (does a login script on the server print text?)";
            return Err(SftpError::Protocol(text.into()));
        }
        if let Some(fields) = split_packet(buffer)? {
            return Ok(fields);
        }
        match reader.read_buf(buffer).await {
            Ok(0) | Err(_) => return Err(SftpError::Closed),
            Ok(_) => {}
        }
    }
}

/// Checks the version and looks for the extensions that are used.
fn offered(greeting: &mut Fields) -> Result<Extensions, SftpError> {
    let (_kind, version) = (greeting.u8()?, greeting.u32()?);
    if version < packet::VERSION {
        return Err(SftpError::Protocol(format!(
            "it speaks version {version}, not {}",
            packet::VERSION
        )));
    }
    Extensions::read(greeting)
}

/// The next packet, once it is whole.
fn split_packet(buffer: &mut BytesMut) -> Result<Option<Fields>, SftpError> {
    let Some(prefix) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*prefix) as usize;
    if !(1..=MAX_PACKET).contains(&length) {
        return Err(SftpError::Protocol(format!("a packet of {length} bytes")));
    }
    if buffer.len() < 4 + length {
        return Ok(None);
    }
    let _ = buffer.split_to(4);
    Ok(Some(Fields(buffer.split_to(length).freeze())))
}

async fn write_requests<W>(mut writer: W, mut requests: mpsc::Receiver<Bytes>, shared: Arc<Shared>)
where
    W: AsyncWrite + Unpin,
{
    let (mut batch, mut bytes) = (Vec::new(), BytesMut::new());
    while requests.recv_many(&mut batch, REQUESTS_IN_FLIGHT).await > 0 {
        bytes.clear();
        batch.drain(..).for_each(|packet| bytes.extend_from_slice(&packet));
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        if written.await.is_err() {
            return shared.fail(SftpError::Closed);
        }
    }
}

async fn read_replies<R>(mut reader: R, mut buffer: BytesMut, shared: Arc<Shared>, stall: Duration)
where
    R: AsyncRead + Unpin,
{
    let failure = loop {
        match split_packet(&mut buffer) {
            Ok(Some(packet)) => match shared.deliver(packet) {
                Ok(()) => continue,
                Err(error) => break error,
            },
            Ok(None) => {}
            Err(error) => break error,
        }
        if buffer.capacity() - buffer.len() < BUFFER / 8 {
            buffer.reserve(BUFFER);
        }
        match timeout(stall, reader.read_buf(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => break SftpError::Closed,
            Ok(Ok(_)) => {}
            Err(_) => {
                let state = shared.lock();
                if !state.waiting.is_empty() && state.last_sent.elapsed() >= stall {
                    break SftpError::Stalled(stall);
                }
            }
        }
    };
    shared.fail(failure);
}
