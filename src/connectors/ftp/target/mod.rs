//! Writing over FTP: `STOR` under a temporary name, the size compared, mode and time set where the server offers
//! that, then renamed. Knows what FTP can; what is restored and where is decided above.

mod known;
mod lanes;
mod offers;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use self::{
    known::{Directories, Known, Names},
    lanes::{Lane, Lanes},
    offers::Offers,
    writer::Writer,
};
use super::{
    FtpSource,
    connection::{Connection, speakable},
    dates,
    dial::Dialer,
    error::FtpError,
    listed::{Facts, Kind},
    reply::Reply,
    roots::{self, parent},
};
use crate::{
    connectors::{
        egress::EgressPolicy,
        target::{Abilities, FileTarget, FileWriter, Found, FoundKind, Refusal, Room, Settle, TargetError},
    },
    domain::{error_code::ErrorCode, job::JobError},
};

/// Words with which servers say that nothing more fits.
const FULL: &[&str] = &["no space", "disk full", "quota"];

/// A server that files are written to over FTP.
pub struct FtpTarget {
    shared: Arc<Shared>,
    allowed: usize,
}

/// What all that is under way has in common.
struct Shared {
    lanes: Arc<Lanes>,
    offers: Arc<Offers>,
    now: DateTime<Utc>,
    directories: Mutex<Directories>,
}

impl FtpTarget {
    /// Connects, logs in and asks what can be set.
    ///
    /// # Errors
    /// As a capture.
    pub async fn open(source: FtpSource, egress: Arc<EgressPolicy>) -> Result<Self, JobError> {
        let (allowed, now) = (usize::from(source.config.connections), source.now);
        let any = Dialer::new(Arc::new(source), egress)?;
        let mut dialer = any.with_lasting_sessions()?;
        let mut connection = match dialer.connect().await {
            Err(error) if error.code == ErrorCode::TlsFailed => {
                dialer = any;
                dialer.connect().await?
            }
            connected => connected?,
        };
        let prepared = async {
            let offers = Offers::of(&mut connection).await?;
            offers.prepare(&mut connection).await?;
            Ok(Arc::new(offers))
        };
        let offers = prepared
            .await
            .map_err(|error: FtpError| error.into_job_error(dialer.place()))?;
        Ok(Self {
            shared: Arc::new(Shared {
                lanes: Arc::new(Lanes::new(dialer, allowed, connection, Arc::clone(&offers))),
                offers,
                now,
                directories: Mutex::default(),
            }),
            allowed,
        })
    }
}

impl Shared {
    async fn lane(&self) -> Result<Lane, TargetError> {
        self.lanes.take().await.map_err(TargetError::Over)
    }

    /// What an error means for whoever writes. The connection is kept if it is of use.
    fn failed(&self, lane: Lane, error: FtpError) -> TargetError {
        match error {
            FtpError::Refused(reply) => {
                lane.give_back();
                refusal(&reply)
            }
            FtpError::Unspeakable => {
                lane.give_back();
                TargetError::Refused {
                    why: Refusal::Other,
                    message: FtpError::Unspeakable.to_string(),
                }
            }
            over => TargetError::Over(over.into_job_error(self.lanes.place())),
        }
    }

    /// Does something over a connection.
    async fn with<T>(&self, work: impl AsyncFnOnce(&mut Connection) -> Result<T, FtpError>) -> Result<T, TargetError> {
        let mut lane = self.lane().await?;
        match work(&mut lane.connection).await {
            Ok(done) => {
                lane.give_back();
                Ok(done)
            }
            Err(error) => Err(self.failed(lane, error)),
        }
    }

    /// What a directory holds; `None` if it cannot be listed.
    async fn names(&self, directory: &[u8], path: &[u8]) -> Result<Option<Arc<Names>>, TargetError> {
        // Held while listing: others would list the same.
        let mut directories = self.directories.lock().await;
        if let Some(names) = directories.get(directory, path) {
            return Ok(Some(names));
        }
        let listed = self
            .with(
                async |connection| match Names::of(connection, directory, self.now).await {
                    Err(FtpError::Refused(_)) => Ok(None),
                    listed => listed.map(Some),
                },
            )
            .await?;
        Ok(listed.map(|names| directories.remember(directory, names)))
    }

    async fn touch(&self, path: &[u8]) {
        self.directories.lock().await.touch(path);
    }

    /// What is under a name that no listing shows. Whether it is a link cannot be told for files.
    async fn ask_for(&self, path: &[u8]) -> Result<Option<Found>, TargetError> {
        self.with(async |connection| {
            if connection.ask_about("CWD", path).await?.is_positive() {
                let there = roots::login_dir(connection).await?;
                let kind = match there == path {
                    true => FoundKind::Directory,
                    false => FoundKind::Symlink { target: Some(there) },
                };
                return Ok(Some(only(kind)));
            }
            let size = connection.ask_about("SIZE", path).await?;
            Ok((size.code == 213).then(|| only(FoundKind::Other)))
        })
        .await
    }
}

#[async_trait]
impl FileTarget for FtpTarget {
    fn place(&self) -> &str {
        self.shared.lanes.place()
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            symlinks: false,
            hard_links: false,
            modes: self.shared.offers.modes(),
            owners: false,
            file_times: self.shared.offers.times(),
            lanes: self.allowed,
        }
    }

    async fn look(&self, path: &[u8]) -> Result<Option<Found>, TargetError> {
        if path == b"/" {
            return Ok(Some(only(FoundKind::Directory)));
        }
        let known = match self.shared.names(parent(path), path).await? {
            Some(names) => names.get(name(path)),
            None => Known::Untold,
        };
        let facts = match known {
            Known::There(facts) => facts,
            Known::Free => return Ok(None),
            Known::Untold => return self.shared.ask_for(path).await,
        };
        let mut found = found(&facts);
        if found.kind == FoundKind::File && found.mtime.is_none() {
            let asking = async |connection: &mut Connection| match connection.features.mdtm {
                true => Ok(Some(connection.ask_about("MDTM", path).await?)),
                false => Ok(None),
            };
            let reply = self.shared.with(asking).await?;
            let time = reply.filter(|reply| reply.code == 213);
            found.mtime = time
                .and_then(|time| dates::exact(time.last()))
                .map(|mtime| mtime.seconds);
        }
        Ok(Some(found))
    }

    async fn real_path(&self, path: &[u8]) -> Result<Vec<u8>, TargetError> {
        self.shared
            .with(
                async |connection| match connection.ask_about("CWD", path).await?.is_positive() {
                    true => roots::login_dir(connection).await,
                    // No directory: where it is does not matter.
                    false => Ok(path.to_vec()),
                },
            )
            .await
    }

    async fn make_dir(&self, path: &[u8], mode: u32) -> Result<(), TargetError> {
        let how = Settle {
            mode: Some(mode),
            ..Settle::default()
        };
        self.shared
            .with(async |connection| {
                connection.ask_about("MKD", path).await?.positive()?;
                self.shared.offers.settle(connection, path, false, &how).await
            })
            .await?;
        let mut directories = self.shared.directories.lock().await;
        directories.touch(path);
        directories.remember(path, Names::default());
        Ok(())
    }

    async fn create(&self, path: &[u8]) -> Result<Box<dyn FileWriter>, TargetError> {
        let names = self.shared.directories.lock().await.get(parent(path), path);
        if names.is_none_or(|names| names.get(name(path)) != Known::Free) {
            self.remove(path).await?;
        }
        self.shared.touch(path).await;
        Ok(Box::new(Writer::begin(&self.shared, path).await?))
    }

    async fn make_symlink(&self, _: &[u8], _: &[u8]) -> Result<(), TargetError> {
        Err(unable())
    }

    async fn make_hard_link(&self, _: &[u8], _: &[u8]) -> Result<(), TargetError> {
        Err(unable())
    }

    async fn settle(&self, path: &[u8], kind: FoundKind, how: &Settle) -> Result<(), TargetError> {
        let is_file = kind == FoundKind::File;
        self.shared
            .with(async |connection| self.shared.offers.settle(connection, path, is_file, how).await)
            .await
    }

    async fn put_in_place(&self, temporary: &[u8], path: &[u8]) -> Result<(), TargetError> {
        self.shared.touch(temporary).await;
        self.shared.touch(path).await;
        self.shared
            .with(async |connection| {
                if rename(connection, temporary, path).await?.is_positive() {
                    return Ok(());
                }
                // Not every server puts one file in place of another.
                let removed = connection.ask_about("DELE", path).await?;
                let renamed = rename(connection, temporary, path).await?;
                match removed.is_positive() || renamed.is_positive() {
                    true => renamed.positive().map(drop),
                    false => Err(FtpError::Refused(removed)),
                }
            })
            .await
    }

    async fn remove(&self, temporary: &[u8]) -> Result<(), TargetError> {
        self.shared.touch(temporary).await;
        self.shared
            .with(async |connection| {
                let refused = connection.ask_about("DELE", temporary).await?;
                if refused.is_positive() {
                    return Ok(());
                }
                // One code stands for "is not there" and for "may not be removed".
                match connection.ask_about("SIZE", temporary).await?.code {
                    213 => Err(FtpError::Refused(refused)),
                    _ => Ok(()),
                }
            })
            .await
    }

    async fn room(&self, _: &[u8]) -> Result<Option<Room>, TargetError> {
        Ok(None)
    }

    fn missed(&self) -> Vec<String> {
        self.shared.offers.missed()
    }

    async fn close(&self) {
        self.shared.lanes.close().await;
    }
}

async fn rename(connection: &mut Connection, from: &[u8], to: &[u8]) -> Result<Reply, FtpError> {
    // Behind the first command nothing but the second may come.
    speakable(to)?;
    let ready = connection.ask_about("RNFR", from).await?;
    match ready.code {
        350 => connection.ask_about("RNTO", to).await,
        _ => Ok(ready),
    }
}

fn refusal(reply: &Reply) -> TargetError {
    let why = match reply.code {
        452 | 552 => Refusal::Full,
        _ if reply.says(FULL) => Refusal::Full,
        _ if reply.says(&["denied", "permission"]) => Refusal::Denied,
        _ => Refusal::Other,
    };
    TargetError::Refused {
        why,
        message: reply.to_string(),
    }
}

fn unable() -> TargetError {
    TargetError::Refused {
        why: Refusal::Other,
        message: "FTP cannot make links".to_owned(),
    }
}

fn only(kind: FoundKind) -> Found {
    Found {
        kind,
        size: None,
        mtime: None,
        mode: None,
        owner: None,
    }
}

fn found(facts: &Facts) -> Found {
    let number = |id: Option<u64>| id.and_then(|id| u32::try_from(id).ok());
    Found {
        kind: match &facts.kind {
            Kind::File => FoundKind::File,
            Kind::Directory => FoundKind::Directory,
            Kind::Symlink(target) => FoundKind::Symlink { target: target.clone() },
            Kind::Special | Kind::Dots => FoundKind::Other,
        },
        size: facts.size,
        mtime: facts.mtime.filter(|_| facts.exact).map(|mtime| mtime.seconds),
        mode: facts.mode,
        owner: number(facts.uid).zip(number(facts.gid)),
    }
}

fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}
