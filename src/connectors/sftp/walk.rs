//! Finds everything below the roots, depth first.
//!
//! A directory is listed to its end before its subdirectories are entered: files are passed on as
//! they are found, of subdirectories only name and attributes are kept, packed. A directory is passed
//! on when it is entered, directly before its content, because `tar x` sets the times of a directory
//! as soon as something outside it comes. One directory handle is open at a time, plus a few for
//! directories that are next, and memory depends on how many directories wait, never on how many
//! files there are. Links are not followed, so there are no loops; a server that makes up
//! directories without end hits the limit on path length, because it is depth first.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{
    attributes::{Attributes, FileType},
    client::SftpClient,
    error::SftpError,
    listing::Listing,
    names::NameQueue,
    replies::Name,
};
use crate::{
    connectors::roots::Roots,
    domain::{
        entry::{MAX_PATH, ProblemKind},
        escaped::escape,
        exclude::ExcludeSet,
    },
};

/// Directories listed ahead of their turn.
const LISTINGS_AHEAD: usize = 16;
/// Most bytes of names of directories that wait for their turn.
const MAX_WAITING: usize = 64 * 1024 * 1024;
/// Most names in one directory.
const MAX_NAMES: u64 = 100_000_000;

/// What the walk comes across, in the order it is to be stored.
#[derive(Debug)]
pub enum Found {
    /// Something to store: its absolute path and attributes with a known type.
    Entry {
        path: Vec<u8>,
        attributes: Attributes,
        file_type: FileType,
    },
    /// Something that cannot be stored.
    Problem {
        kind: ProblemKind,
        path: Vec<u8>,
        message: String,
    },
}

/// A directory whose subdirectories wait.
struct Level {
    path: Vec<u8>,
    names: NameQueue,
    /// Subdirectories already being listed, in order.
    ahead: VecDeque<Next>,
}

/// A directory being listed ahead of its turn.
struct Next {
    path: Vec<u8>,
    attributes: Attributes,
    listing: Listing,
}

/// The state of a walk.
pub struct Walk<'a> {
    pub client: &'a Arc<SftpClient>,
    pub roots: &'a Roots,
    pub excludes: &'a ExcludeSet,
    /// Where everything goes.
    pub found: mpsc::Sender<Found>,
    levels: Vec<Level>,
    waiting: usize,
    listings: usize,
}

impl<'a> Walk<'a> {
    /// A walk that has not begun.
    pub fn new(
        client: &'a Arc<SftpClient>,
        roots: &'a Roots,
        excludes: &'a ExcludeSet,
        found: mpsc::Sender<Found>,
    ) -> Self {
        Self {
            client,
            roots,
            excludes,
            found,
            levels: Vec::new(),
            waiting: 0,
            listings: 0,
        }
    }

    /// Walks all roots. Ends early, without error, when nobody takes what is found.
    ///
    /// # Errors
    /// Those that end the conversation; a directory that cannot be read is a problem, not an error.
    pub async fn run(mut self) -> Result<(), SftpError> {
        for root in &self.roots.paths {
            let attributes = match self.client.lstat(root).await?.attributes().await {
                Ok(attributes) => attributes,
                Err(error) => {
                    self.problem(root, error).await?;
                    continue;
                }
            };
            if let Some(attributes) = self.entry(root, attributes).await? {
                self.enter(Next {
                    path: root.clone(),
                    attributes,
                    listing: Listing::start(self.client, root.clone()),
                })
                .await?;
                self.descend().await?;
            }
        }
        Ok(())
    }

    /// Works through the directories that wait.
    async fn descend(&mut self) -> Result<(), SftpError> {
        while let Some(level) = self.levels.last_mut() {
            while level.ahead.is_empty() || self.listings < LISTINGS_AHEAD {
                let Some((name, attributes)) = level.names.pop() else {
                    break;
                };
                self.waiting -= NameQueue::cost(&name);
                self.listings += 1;
                let path = join(&level.path, &name);
                let listing = Listing::start(self.client, path.clone());
                level.ahead.push_back(Next {
                    path,
                    attributes,
                    listing,
                });
            }
            match level.ahead.pop_front() {
                None => {
                    self.levels.pop();
                }
                Some(next) => {
                    self.listings -= 1;
                    self.enter(next).await?;
                }
            }
        }
        Ok(())
    }

    /// Passes on a directory and what is in it, and notes its subdirectories.
    async fn enter(&mut self, next: Next) -> Result<(), SftpError> {
        let Next {
            path,
            attributes,
            mut listing,
        } = next;
        self.pass_entry(&path, attributes, FileType::Directory).await?;
        let mut names = NameQueue::default();
        let (mut count, mut subdirectories) = (0, 0);
        while let Some(batch) = listing.next().await {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    self.problem(&path, error).await?;
                    break;
                }
            };
            count += batch.len() as u64;
            if count > MAX_NAMES {
                let text = format!("{} has more than {MAX_NAMES} names", escape(&path));
                return Err(SftpError::Limit(text));
            }
            for Name { name, attributes } in batch {
                if !is_child(&path, &name)? {
                    continue;
                }
                let child = join(&path, &name);
                if let Some(attributes) = self.entry(&child, attributes).await? {
                    subdirectories += 1;
                    names.push(&name, &attributes);
                    self.waiting += NameQueue::cost(&name);
                    if self.waiting > MAX_WAITING {
                        let text = format!(
                            "too many directories wait to be read, most of them in {}",
                            escape(&path)
                        );
                        return Err(SftpError::Limit(text));
                    }
                }
            }
        }
        if subdirectories > 0 {
            self.levels.push(Level {
                path,
                names,
                ahead: VecDeque::new(),
            });
        }
        Ok(())
    }

    /// Passes on one thing, except a directory to be read: that one's attributes are returned, and it
    /// is passed on when it is entered.
    async fn entry(&mut self, path: &[u8], mut attributes: Attributes) -> Result<Option<Attributes>, SftpError> {
        if path.len() > MAX_PATH {
            let start = escape(&path[..200]);
            return Err(SftpError::Limit(format!(
                "a path of more than {MAX_PATH} bytes, beginning {start}"
            )));
        }
        if attributes.file_type().is_none() || attributes.size.is_none() {
            attributes = match self.client.lstat(path).await?.attributes().await {
                Ok(attributes) => attributes,
                Err(error) => {
                    self.problem(path, error).await?;
                    return Ok(None);
                }
            };
        }
        let Some(file_type) = attributes.file_type() else {
            let message = "the server does not say what this is".to_owned();
            self.pass(Found::Problem {
                kind: ProblemKind::Unreadable,
                path: path.to_vec(),
                message,
            })
            .await?;
            return Ok(None);
        };
        let is_directory = file_type == FileType::Directory;
        if self.excludes.matches(below_root(path), is_directory) {
            return Ok(None);
        }
        if is_directory && !self.roots.pruned.iter().any(|pruned| pruned == path) {
            return Ok(Some(attributes));
        }
        self.pass_entry(path, attributes, file_type).await?;
        Ok(None)
    }

    /// Passes on something to store. The root itself has no name to store it under.
    async fn pass_entry(&self, path: &[u8], attributes: Attributes, file_type: FileType) -> Result<(), SftpError> {
        if below_root(path).is_empty() {
            return Ok(());
        }
        self.pass(Found::Entry {
            path: path.to_vec(),
            attributes,
            file_type,
        })
        .await
    }

    async fn problem(&self, path: &[u8], error: SftpError) -> Result<(), SftpError> {
        let Some(kind) = error.problem() else { return Err(error) };
        self.pass(Found::Problem {
            kind,
            path: path.to_vec(),
            message: error.to_string(),
        })
        .await
    }

    async fn pass(&self, found: Found) -> Result<(), SftpError> {
        self.found.send(found).await.map_err(|_| SftpError::Closed)
    }
}

fn below_root(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"/").unwrap_or(path)
}

fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(directory.len() + 1 + name.len());
    path.extend_from_slice(directory);
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// True if a name is a child of its directory, false for `.` and `..`.
fn is_child(directory: &[u8], name: &Bytes) -> Result<bool, SftpError> {
    match name.as_ref() {
        b"." | b".." => Ok(false),
        name if name.is_empty() || name.contains(&b'/') || name.contains(&0) => {
            let (name, directory) = (escape(name), escape(directory));
            let name: String = name.chars().take(200).collect();
            Err(SftpError::Protocol(format!(
                "it names a file \"{name}\" in {directory}, which no file can be called"
            )))
        }
        _ => Ok(true),
    }
}
