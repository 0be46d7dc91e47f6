//! Writing over SFTP: a file under a temporary name, settled and made durable, then renamed.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::Mutex;

use super::{
    REQUESTS_IN_FLIGHT, WINDOW,
    attributes::{Attributes, Changes, FileType},
    client::SftpClient,
    error::{NO_SUCH_FILE, PERMISSION_DENIED, SftpError},
    replies::Pending,
    roots,
};
use crate::{
    connectors::target::{
        Abilities, FileTarget, FileWriter, Found, FoundKind, Login, Refusal, Room, Settle, TargetError,
    },
    domain::entry::MAX_PATH,
};

/// Files written at the same time: each costs some four round trips, most of them spent waiting.
const LANES: usize = 32;

/// A server that files are written to over SFTP.
pub struct SftpTarget {
    client: Arc<SftpClient>,
    place: String,
    login: Option<Login>,
    /// Ends the connection below. Dropped without being run, it drops the connection.
    closing: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl SftpTarget {
    /// A target over a conversation; `place` is `host:port`, `login` who the server takes us for, and `closing` ends
    /// the connection that the conversation uses.
    pub fn new(client: SftpClient, place: String, login: Option<Login>, closing: BoxFuture<'static, ()>) -> Self {
        Self {
            client: Arc::new(client),
            place,
            login,
            closing: Mutex::new(Some(closing)),
        }
    }

    /// Waits for a request to be done.
    async fn done(&self, sent: Result<Pending, SftpError>) -> Result<(), TargetError> {
        let done = async { sent?.done().await };
        done.await.map_err(|error| said(&self.place, error))
    }
}

/// What an error means for whoever writes.
fn said(place: &str, error: SftpError) -> TargetError {
    match error {
        SftpError::Status { code, message } => TargetError::Refused {
            why: match code {
                PERMISSION_DENIED => Refusal::Denied,
                _ => Refusal::Other,
            },
            message,
        },
        over => TargetError::Over(over.into_job_error(place)),
    }
}

fn changes(how: &Settle) -> Changes {
    Changes {
        owner: None,
        mode: how.mode,
        mtime: how.mtime,
    }
}

/// The owner goes by itself and first: changing it clears set-id bits, and servers set it last.
fn owner(how: &Settle) -> Option<Changes> {
    how.owner.map(|owner| Changes {
        owner: Some(owner),
        ..Changes::default()
    })
}

#[async_trait]
impl FileTarget for SftpTarget {
    fn place(&self) -> &str {
        &self.place
    }

    fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            symlinks: true,
            hard_links: self.client.extensions().hardlink,
            modes: true,
            owners: true,
            file_times: true,
            lanes: LANES.min(self.client.limits().handles / 2).max(1),
        }
    }

    async fn look(&self, path: &[u8]) -> Result<Option<Found>, TargetError> {
        let looking = async {
            let attributes = match self.client.lstat(path).await?.attributes().await {
                Ok(attributes) => attributes,
                Err(error) if error.code() == Some(NO_SUCH_FILE) => return Ok(None),
                Err(error) => return Err(error),
            };
            let kind = match attributes.file_type() {
                Some(FileType::Regular) => FoundKind::File,
                Some(FileType::Directory) => FoundKind::Directory,
                Some(FileType::Symlink) => {
                    let target = self.client.read_link(path).await?.one_name().await;
                    let target = target.ok().filter(|target| target.len() <= MAX_PATH);
                    FoundKind::Symlink {
                        target: target.map(|target| target.to_vec()),
                    }
                }
                Some(FileType::Special(_)) | None => FoundKind::Other,
            };
            Ok(Some(found(kind, &attributes)))
        };
        looking.await.map_err(|error| said(&self.place, error))
    }

    async fn real_path(&self, path: &[u8]) -> Result<Vec<u8>, TargetError> {
        let asking = async {
            let real = self.client.real_path(path).await?.one_name().await?;
            roots::checked(&real)
        };
        asking.await.map_err(|error| said(&self.place, error))
    }

    async fn make_dir(&self, path: &[u8], mode: u32) -> Result<(), TargetError> {
        self.done(self.client.mkdir(path, mode).await).await
    }

    async fn create(&self, path: &[u8]) -> Result<Box<dyn FileWriter>, TargetError> {
        let creating = async {
            let refused = match self.client.create_new(path).await?.handle().await {
                Err(error) if error.code().is_some_and(|code| code != PERMISSION_DENIED) => error,
                handle => return handle,
            };
            // What is in the way can only be ours. If it does not go, the first answer is the better one.
            match self.client.remove(path).await?.done().await {
                Err(error) if error.code().is_some() => Err(refused),
                Err(error) => Err(error),
                Ok(()) => self.client.create_new(path).await?.handle().await,
            }
        };
        let handle = creating.await.map_err(|error| said(&self.place, error))?;
        Ok(Box::new(Writer {
            client: Arc::clone(&self.client),
            place: self.place.clone(),
            handle,
            offset: 0,
            waiting: VecDeque::new(),
            in_flight: 0,
        }))
    }

    async fn make_symlink(&self, path: &[u8], target: &[u8]) -> Result<(), TargetError> {
        self.done(self.client.symlink(path, target).await).await
    }

    async fn make_hard_link(&self, path: &[u8], file: &[u8]) -> Result<(), TargetError> {
        self.done(self.client.hardlink(file, path).await).await
    }

    async fn settle(&self, path: &[u8], kind: FoundKind, how: &Settle) -> Result<(), TargetError> {
        let link = matches!(kind, FoundKind::Symlink { .. });
        if link && !self.client.extensions().lsetstat {
            return Ok(());
        }
        let mut all = changes(how);
        if link {
            // No system that matters gives links a mode.
            all.mode = None;
        }
        for change in owner(how).into_iter().chain((!all.is_empty()).then_some(all)) {
            let sent = match link {
                true => self.client.lsetstat(path, &change).await,
                false => self.client.setstat(path, &change).await,
            };
            self.done(sent).await?;
        }
        Ok(())
    }

    async fn put_in_place(&self, temporary: &[u8], path: &[u8]) -> Result<(), TargetError> {
        if self.client.extensions().posix_rename {
            return self.done(self.client.posix_rename(temporary, path).await).await;
        }
        match self.done(self.client.rename(temporary, path).await).await {
            Err(TargetError::Refused { .. }) => {}
            done => return done,
        }
        self.remove(path).await?;
        self.done(self.client.rename(temporary, path).await).await
    }

    async fn remove(&self, temporary: &[u8]) -> Result<(), TargetError> {
        let removing = async {
            match self.client.remove(temporary).await?.done().await {
                Err(error) if error.code() == Some(NO_SUCH_FILE) => Ok(()),
                done => done,
            }
        };
        removing.await.map_err(|error| said(&self.place, error))
    }

    async fn room(&self, directory: &[u8]) -> Result<Option<Room>, TargetError> {
        if !self.client.extensions().statvfs {
            return Ok(None);
        }
        match self.client.room(directory).await {
            Ok(room) => Ok(Some(room)),
            Err(error) if error.code().is_some() => Ok(None),
            Err(error) => Err(said(&self.place, error)),
        }
    }

    async fn close(&self) {
        if let Some(closing) = self.closing.lock().await.take() {
            closing.await;
        }
    }
}

fn found(kind: FoundKind, attributes: &Attributes) -> Found {
    Found {
        kind,
        size: attributes.size,
        mtime: attributes.mtime.map(i64::from),
        mode: attributes.permissions.map(|permissions| permissions & 0o7777),
        owner: attributes.owner,
    }
}

/// A file being written: pieces on their way, in order.
struct Writer {
    client: Arc<SftpClient>,
    place: String,
    handle: Bytes,
    offset: u64,
    waiting: VecDeque<(usize, Pending)>,
    in_flight: usize,
}

impl Writer {
    async fn send(&mut self, data: Bytes) -> Result<(), SftpError> {
        let largest = self.client.limits().write as usize;
        for piece in data.chunks(largest) {
            while !self.waiting.is_empty()
                && (self.in_flight + piece.len() > WINDOW || self.waiting.len() >= REQUESTS_IN_FLIGHT / 2)
            {
                self.oldest().await?;
            }
            let pending = self.client.write(&self.handle, self.offset, piece).await?;
            self.waiting.push_back((piece.len(), pending));
            self.in_flight += piece.len();
            self.offset += piece.len() as u64;
        }
        Ok(())
    }

    /// Waits for the oldest piece to arrive.
    async fn oldest(&mut self) -> Result<(), SftpError> {
        let Some((length, pending)) = self.waiting.pop_front() else {
            return Ok(());
        };
        self.in_flight -= length;
        pending.done().await
    }

    /// Everything that is still to be said goes out at once; the server works in order.
    async fn end(&mut self, how: &Settle) -> Result<(), SftpError> {
        let mut last = Vec::new();
        if let Some(owner) = owner(how) {
            last.push(self.client.fsetstat(&self.handle, &owner).await?);
        }
        let changes = changes(how);
        if !changes.is_empty() {
            last.push(self.client.fsetstat(&self.handle, &changes).await?);
        }
        if self.client.extensions().fsync {
            last.push(self.client.fsync(&self.handle).await?);
        }
        last.push(self.client.close_written(&self.handle).await?);
        while !self.waiting.is_empty() {
            self.oldest().await?;
        }
        for pending in last {
            pending.done().await?;
        }
        Ok(())
    }
}

#[async_trait]
impl FileWriter for Writer {
    async fn write(&mut self, data: Bytes) -> Result<(), TargetError> {
        let sent = self.send(data).await;
        if sent.is_err() {
            // Nobody writes on after that. If it cannot be closed, the conversation is over, and the handle with it.
            let _ = self.client.close(&self.handle).await;
        }
        sent.map_err(|error| said(&self.place, error))
    }

    async fn finish(mut self: Box<Self>, how: &Settle) -> Result<(), TargetError> {
        self.end(how).await.map_err(|error| said(&self.place, error))
    }
}
