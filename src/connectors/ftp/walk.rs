//! Finds everything below the roots, depth first.
//!
//! A directory is listed whole; its files are passed on, and of its subdirectories only names and facts are
//! kept until their turn comes. A directory is passed on when it is entered, directly before its content.
//! Links are not followed. A server that shows the same directory below itself again (as some do with links)
//! is told by the identity it gives directories, or else by the depth no honest tree has.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};

use super::{
    emit::Slot,
    error::FtpError,
    fetch::Fetch,
    listed::{Facts, Kind, Listed},
    listing::Listing,
    tasks::{ListTask, Task, Tasks},
};
use crate::{
    connectors::roots::Roots,
    domain::{
        entry::{EntryPath, MAX_PATH, ProblemKind},
        error_code::ErrorCode,
        escaped::escape,
        exclude::ExcludeSet,
        job::JobError,
    },
};

/// Directories listed ahead of their turn.
const LISTINGS_AHEAD: usize = 4;
/// Deepest nesting that is followed.
const MAX_DEPTH: usize = 256;
/// Most bytes of names of directories that wait for their turn.
const MAX_WAITING: usize = 32 * 1024 * 1024;
/// Most things in one source.
const MAX_ENTRIES: u64 = 100_000_000;
/// Pieces of one file that wait to be handed on.
const PARTS: usize = 4;
/// What a waiting directory takes beside its name, in bytes.
const WAITING_COST: usize = 160;

/// A root and what is known of it.
#[derive(Debug, Clone)]
pub struct Root {
    /// Its absolute path.
    pub path: Vec<u8>,
    /// What it is.
    pub facts: Facts,
}

/// A directory whose subdirectories wait.
struct Level {
    path: Vec<u8>,
    unique: Option<Vec<u8>>,
    names: VecDeque<Listed>,
    /// Subdirectories already being listed, in order.
    ahead: VecDeque<Next>,
}

/// A directory being listed.
struct Next {
    path: Vec<u8>,
    facts: Facts,
    listing: oneshot::Receiver<Result<Listing, FtpError>>,
}

/// The state of a walk.
pub struct Walk<'a> {
    tasks: &'a Tasks,
    roots: &'a Roots,
    excludes: &'a ExcludeSet,
    now: DateTime<Utc>,
    slots: mpsc::Sender<Slot>,
    levels: Vec<Level>,
    waiting: usize,
    entries: u64,
    told_of_hidden: bool,
}

impl<'a> Walk<'a> {
    /// A walk that has not begun.
    pub fn new(
        tasks: &'a Tasks,
        roots: &'a Roots,
        excludes: &'a ExcludeSet,
        now: DateTime<Utc>,
        slots: mpsc::Sender<Slot>,
    ) -> Self {
        Self {
            tasks,
            roots,
            excludes,
            now,
            slots,
            levels: Vec::new(),
            waiting: 0,
            entries: 0,
            told_of_hidden: false,
        }
    }

    /// Walks all roots. Ends the tasks with the last one.
    ///
    /// # Errors
    /// Those that end the capture; a directory that cannot be read is a problem, not an error.
    pub async fn run(mut self, roots: Vec<Root>) -> Result<(), FtpError> {
        for Root { path, facts } in roots {
            if facts.kind == Kind::Directory {
                let next = self.list(path, facts);
                self.enter(next).await?;
                self.descend().await?;
            } else {
                self.leaf(path, facts).await?;
            }
        }
        self.tasks.close();
        Ok(())
    }

    fn list(&self, path: Vec<u8>, facts: Facts) -> Next {
        let (answer, listing) = oneshot::channel();
        self.tasks.push(Task::List(ListTask {
            path: path.clone(),
            now: self.now,
            answer: Some(answer),
        }));
        Next { path, facts, listing }
    }

    /// Works through the directories that wait.
    async fn descend(&mut self) -> Result<(), FtpError> {
        while let Some(mut level) = self.levels.pop() {
            while level.ahead.len() < LISTINGS_AHEAD {
                let Some(listed) = level.names.pop_front() else { break };
                self.waiting -= WAITING_COST + listed.name.len();
                let path = join(&level.path, &listed.name);
                level.ahead.push_back(self.list(path, listed.facts));
            }
            if let Some(next) = level.ahead.pop_front() {
                self.levels.push(level);
                self.enter(next).await?;
            }
        }
        Ok(())
    }

    /// Passes on a directory and what is in it, and notes its subdirectories.
    async fn enter(&mut self, next: Next) -> Result<(), FtpError> {
        let Next {
            path,
            mut facts,
            listing,
        } = next;
        if self.levels.len() > MAX_DEPTH {
            let text = format!(
                "more than {MAX_DEPTH} directories inside each other, the last {}",
                shown(&path)
            );
            return Err(FtpError::Limit(text));
        }
        let listing = listing.await.map_err(|_| nobody_left())?;
        let listing = match listing {
            Ok(listing) => listing,
            Err(error @ (FtpError::Refused(_) | FtpError::Unspeakable)) => {
                self.pass_entry(&path, facts).await?;
                return self.problem(ProblemKind::Unreadable, &path, error.to_string()).await;
            }
            Err(error) => return Err(error),
        };
        if let Some(itself) = listing.itself() {
            facts.mtime = facts.mtime.filter(|_| facts.exact).or(itself.facts.mtime);
            facts.mode = facts.mode.or(itself.facts.mode);
            facts.uid = facts.uid.or(itself.facts.uid);
            facts.gid = facts.gid.or(itself.facts.gid);
            facts.unique = facts.unique.or(itself.facts.unique);
        }
        let unique = facts.unique.clone();
        let ancestors = || self.levels.iter().filter_map(|level| level.unique.as_ref());
        if let Some(own) = &unique
            && ancestors().any(|above| above == own)
        {
            let text = "is a directory above it once more; not entered again";
            return self.problem(ProblemKind::Note, &path, text.into()).await;
        }
        if listing.without_hidden && !self.told_of_hidden {
            self.told_of_hidden = true;
            let text = "the server does not list hidden files when asked to (LIST -a): names with a dot in front \
                may be missing, here and below";
            self.problem(ProblemKind::Note, &path, text.into()).await?;
        }
        self.pass_entry(&path, facts).await?;
        let names = self.children(&path, &listing).await?;
        if !names.is_empty() {
            self.levels.push(Level {
                path,
                unique,
                names,
                ahead: VecDeque::new(),
            });
        }
        Ok(())
    }

    /// Passes on what is in a directory; the subdirectories are returned.
    async fn children(&mut self, path: &[u8], listing: &Listing) -> Result<VecDeque<Listed>, FtpError> {
        let mut subdirectories = VecDeque::new();
        for line in listing.lines() {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(FtpError::Limit(format!("more than {MAX_ENTRIES} files")));
            }
            let Listed { name, facts } = match line {
                Ok(listed) => listed,
                Err(line) => {
                    let text = format!("its listing has a line that makes no sense: {line}");
                    self.problem(ProblemKind::NameRefused, path, text).await?;
                    continue;
                }
            };
            let child = join(path, &name);
            if child.len() > MAX_PATH {
                let start = shown(&child);
                return Err(FtpError::Limit(format!(
                    "a path of more than {MAX_PATH} bytes, beginning {start}"
                )));
            }
            match facts.kind {
                Kind::Dots => {}
                Kind::Directory if self.is_excluded(&child, true) => {}
                Kind::Directory if self.roots.pruned.contains(&child) => self.pass_entry(&child, facts).await?,
                Kind::Directory => {
                    self.waiting += WAITING_COST + name.len();
                    if self.waiting > MAX_WAITING {
                        let text = format!("too many directories wait to be read, most of them in {}", shown(path));
                        return Err(FtpError::Limit(text));
                    }
                    subdirectories.push_back(Listed { name, facts });
                }
                _ => self.leaf(child, facts).await?,
            }
        }
        Ok(subdirectories)
    }

    fn is_excluded(&self, path: &[u8], is_directory: bool) -> bool {
        self.excludes
            .matches(path.strip_prefix(b"/").unwrap_or(path), is_directory)
    }

    /// Passes on what is no directory.
    async fn leaf(&mut self, path: Vec<u8>, facts: Facts) -> Result<(), FtpError> {
        if self.is_excluded(&path, false) {
            return Ok(());
        }
        match &facts.kind {
            Kind::File => {
                let (sender, parts) = mpsc::channel(PARTS);
                let fetch = Fetch::new(path.clone(), &facts, sender);
                let Ok(place) = EntryPath::new(&path) else {
                    return self
                        .problem(ProblemKind::NameRefused, &path, "its name is unusable".into())
                        .await;
                };
                self.pass(Slot::File(place, facts, parts)).await?;
                // Only now: what is asked for is bounded by what may wait to be handed on.
                self.tasks.push(Task::Fetch(Box::new(fetch)));
                Ok(())
            }
            Kind::Symlink(Some(target)) if target.is_empty() || target.contains(&0) || target.len() > MAX_PATH => {
                self.problem(ProblemKind::NameRefused, &path, "the link's target is unusable".into())
                    .await
            }
            Kind::Symlink(Some(_)) => self.pass_entry(&path, facts).await,
            Kind::Symlink(None) => {
                let text = "is a link, and the server does not say where it leads";
                self.problem(ProblemKind::Unreadable, &path, text.into()).await
            }
            _ => {
                let text = "is a FIFO, socket or device";
                self.problem(ProblemKind::SpecialSkipped, &path, text.into()).await
            }
        }
    }

    /// Passes on a directory or link. The root of everything has no name to store it under.
    async fn pass_entry(&self, path: &[u8], facts: Facts) -> Result<(), FtpError> {
        match EntryPath::new(path) {
            Ok(place) => self.pass(Slot::Entry(place, facts)).await,
            Err(_) => Ok(()),
        }
    }

    async fn problem(&self, kind: ProblemKind, path: &[u8], message: String) -> Result<(), FtpError> {
        self.pass(Slot::Problem(kind, path.to_vec(), message)).await
    }

    async fn pass(&self, slot: Slot) -> Result<(), FtpError> {
        self.slots.send(slot).await.map_err(|_| nobody_left())
    }
}

fn nobody_left() -> FtpError {
    FtpError::Stopped(JobError::new(
        ErrorCode::Internal,
        "the capture stopped in the middle",
        "This is a fault in xVault; please report it.",
    ))
}

/// The path of a name in a directory.
pub fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if directory.ends_with(b"/") { b"" } else { b"/" };
    [directory, slash, name].concat()
}

fn shown(path: &[u8]) -> String {
    escape(path).chars().take(200).collect()
}
