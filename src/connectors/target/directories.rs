//! The directories between the base and what is being written: found or made on the way in, given their mode and time
//! on the way out, when nothing in them is being written any more. Entries come depth first, so memory depends on the
//! depth only.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Found, FoundKind, Settle, TargetError, decide::numeric_owner, shared::Shared, tally::told};
use crate::domain::{
    entry::Entry,
    job::JobError,
    server_restore::{Existing, RestoreAction},
};

/// Mode of directories that the snapshot does not have itself.
const IMPLIED_MODE: u32 = 0o755;

/// What is known of a directory.
#[derive(Debug, Clone)]
pub enum Standing {
    /// It was there.
    There(Arc<Found>),
    /// It was not; it is there now, unless nothing may be changed.
    New,
    /// It cannot be gone into.
    Blocked(RestoreAction, String),
}

/// A directory that something is written into. While this lives, the directory is not settled.
#[derive(Debug, Clone)]
pub struct Parent {
    /// Absolute.
    pub path: Arc<[u8]>,
    /// Never [`Standing::Blocked`].
    pub standing: Standing,
    _in_use: mpsc::Sender<()>,
}

/// A directory on the way.
struct Level {
    /// Relative to the base.
    relative: Vec<u8>,
    path: Arc<[u8]>,
    standing: Standing,
    /// What it shall be like in the end, and whether it must.
    settle: Option<(Settle, bool)>,
    in_use: mpsc::Sender<()>,
    unused: mpsc::Receiver<()>,
    /// Keeps the directory above from being settled.
    above: Option<mpsc::Sender<()>>,
}

/// A directory that was left and waits for its mode and time.
pub struct Left(Level);

/// The way from the base to where entries are being written.
pub struct Directories {
    shared: Arc<Shared>,
    levels: Vec<Level>,
}

impl Directories {
    /// At the base.
    pub fn new(shared: Arc<Shared>) -> Self {
        let standing = Standing::There(Arc::new(shared.base.found.clone()));
        let base = Level::new(Vec::new(), shared.base.shown().into(), standing, None);
        Self {
            shared,
            levels: vec![base],
        }
    }

    /// Leaves every directory that `relative` is not below; they are returned to be settled.
    pub fn leave(&mut self, relative: &[u8]) -> Vec<Left> {
        let stay = self
            .levels
            .iter()
            .take_while(|level| is_above(&level.relative, relative));
        let stay = stay.count();
        self.levels.drain(stay.max(1)..).rev().map(Left).collect()
    }

    /// Leaves all.
    pub fn leave_all(&mut self) -> Vec<Left> {
        self.levels.drain(1..).rev().map(Left).collect()
    }

    /// Goes into the directory that `relative` lies in, after [`Directories::leave`]; what is missing on the way is made.
    ///
    /// # Errors
    /// `Ok(Err(_))` if it cannot be gone into.
    pub async fn parent_of(&mut self, relative: &[u8]) -> Result<Result<Parent, (RestoreAction, String)>, JobError> {
        let end = relative.iter().rposition(|&b| b == b'/').unwrap_or(0);
        let begun = self.top().relative.len();
        let borders = (begun + 1..=end).filter(|&at| at == end || relative[at] == b'/');
        for at in borders.collect::<Vec<_>>() {
            self.enter(&relative[..at], None).await?;
        }
        Ok(self.top().as_parent())
    }

    /// Goes into a directory of the snapshot, after [`Directories::parent_of`].
    pub async fn enter(&mut self, relative: &[u8], entry: Option<&Entry>) -> Result<(), JobError> {
        let path = self.shared.base.join(relative);
        let standing = match self.top().as_parent() {
            Err((action, why)) => {
                if entry.is_some() {
                    self.shared.tally.note(action, &path, 0, Some(why.clone()));
                }
                Standing::Blocked(action, why)
            }
            Ok(parent) => self.stand(&parent, &path, entry).await?,
        };
        let mut level = Level::new(
            relative.to_vec(),
            path.into(),
            standing,
            Some(self.top().in_use.clone()),
        );
        level.settle = entry.and_then(|entry| self.settle(&level.standing, entry));
        self.levels.push(level);
        Ok(())
    }

    /// Finds or makes a directory.
    async fn stand(&self, parent: &Parent, path: &[u8], entry: Option<&Entry>) -> Result<Standing, JobError> {
        let shared = &self.shared;
        let found = match &parent.standing {
            Standing::There(_) => match shared.look(path, 0).await? {
                Ok(found) => found,
                Err(why) => return Ok(Standing::Blocked(RestoreAction::Refused, below(path, &why))),
            },
            Standing::New | Standing::Blocked(..) => None,
        };
        let Some(found) = found else {
            return self.make(parent, path, entry).await;
        };
        let decision = match (entry, &found.kind) {
            (Some(entry), _) => shared.rules.decide(entry, Some(&found)),
            (None, FoundKind::Directory) => return Ok(Standing::There(Arc::new(found))),
            (None, FoundKind::Symlink { .. }) => (RestoreAction::Conflict, Some("is a symbolic link there".into())),
            (None, _) => (RestoreAction::Conflict, Some("is no directory there".into())),
        };
        if decision.0 == RestoreAction::Conflict {
            let why = decision.1.unwrap_or_default();
            if entry.is_some() {
                shared.tally.note(decision.0, path, 0, Some(why.clone()));
            }
            return Ok(Standing::Blocked(decision.0, below(path, &why)));
        }
        if shared.dry_run {
            shared.foresee_settling(path, &found, &decision);
        }
        shared.tally.note(decision.0, &slashed(path), 0, decision.1);
        Ok(Standing::There(Arc::new(found)))
    }

    async fn make(&self, parent: &Parent, path: &[u8], entry: Option<&Entry>) -> Result<Standing, JobError> {
        let shared = &self.shared;
        if let (true, Standing::There(found)) = (shared.dry_run, &parent.standing) {
            shared.foresee_writing(&parent.path, found);
        }
        if !shared.dry_run {
            // Nobody else goes in before it has its own mode.
            let mode = entry.map_or(IMPLIED_MODE, |_| 0o700);
            match shared.target.make_dir(path, mode).await {
                Ok(()) => {}
                Err(TargetError::Over(error)) => return Err(error),
                Err(refusal) => {
                    // Somebody may have made it at the same moment.
                    let now = shared.target.look(path).await.ok().flatten();
                    if let Some(now) = now.filter(|now| now.kind == FoundKind::Directory) {
                        return Ok(Standing::There(Arc::new(now)));
                    }
                    let why = shared.refused(path, 0, refusal).await?;
                    let why = format!("cannot be made: {why}");
                    return Ok(Standing::Blocked(RestoreAction::Refused, below(path, &why)));
                }
            }
        }
        shared.tally.note(RestoreAction::Create, &slashed(path), 0, None);
        Ok(Standing::New)
    }

    /// What a directory of the snapshot shall be like in the end, and whether it is a fault if it cannot.
    fn settle(&self, standing: &Standing, entry: &Entry) -> Option<(Settle, bool)> {
        let rules = &self.shared.rules;
        let must = match standing {
            Standing::New => true,
            Standing::There(_) if rules.existing == Existing::Never => return None,
            Standing::There(found) => found.mode != Some(entry.mode),
            Standing::Blocked(..) => return None,
        };
        Some((settled(entry, rules.owners), must))
    }

    fn top(&self) -> &Level {
        // The base is never left.
        &self.levels[self.levels.len() - 1]
    }
}

impl Level {
    fn new(relative: Vec<u8>, path: Arc<[u8]>, standing: Standing, above: Option<mpsc::Sender<()>>) -> Self {
        let (in_use, unused) = mpsc::channel(1);
        Self {
            relative,
            path,
            standing,
            settle: None,
            in_use,
            unused,
            above,
        }
    }

    fn as_parent(&self) -> Result<Parent, (RestoreAction, String)> {
        match &self.standing {
            Standing::Blocked(action, why) => Err((*action, why.clone())),
            standing => Ok(Parent {
                path: Arc::clone(&self.path),
                standing: standing.clone(),
                _in_use: self.in_use.clone(),
            }),
        }
    }
}

impl Left {
    /// Gives it its mode and time once nothing in it is being written.
    pub async fn settle(self, shared: Arc<Shared>) -> Result<(), JobError> {
        let Level {
            path,
            settle,
            in_use,
            mut unused,
            above,
            ..
        } = self.0;
        drop(in_use);
        // Nothing is ever sent: it ends when all users are gone.
        let _ = unused.recv().await;
        let Some((how, must)) = settle.filter(|_| !shared.dry_run) else {
            return Ok(());
        };
        match shared.target.settle(&path, FoundKind::Directory, &how).await {
            Err(refusal @ TargetError::Refused { .. }) if must => {
                shared.refused(&slashed(&path), 0, refusal).await?;
            }
            Err(TargetError::Over(error)) => return Err(error),
            // Only its time is not what it was.
            Ok(()) | Err(TargetError::Refused { .. }) => {}
        }
        drop(above);
        Ok(())
    }
}

/// How an entry shall be.
pub fn settled(entry: &Entry, owners: bool) -> Settle {
    Settle {
        owner: numeric_owner(entry).filter(|_| owners),
        mode: Some(entry.mode),
        mtime: Some(entry.mtime),
    }
}

fn below(path: &[u8], why: &str) -> String {
    format!("lies below {}, which {why}", told(path))
}

fn slashed(path: &[u8]) -> Vec<u8> {
    [path, b"/"].concat()
}

/// True if a directory is the base or truly above `relative`.
fn is_above(directory: &[u8], relative: &[u8]) -> bool {
    directory.is_empty()
        || relative
            .strip_prefix(directory)
            .is_some_and(|rest| rest.first() == Some(&b'/'))
}
