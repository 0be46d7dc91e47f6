//! The restore itself: entries come in the order of the snapshot, small files are written side by side, a large one as
//! it comes.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    FileTarget,
    base::Base,
    crew::Crew,
    decide::Rules,
    directories::Directories,
    files::{self, Open, Piece, size_of},
    shared::Shared,
};
use crate::domain::{
    entry::{Entry, EntryKind},
    error_code::ErrorCode,
    job::JobError,
    server_restore::{Existing, RestoreAction, RestoreReport},
};

/// Files up to this size wait for all of their content, in bytes; with all lanes busy they take so many times as much.
const SMALL: u64 = 256 * 1024;

/// Told of targets that cannot set owners, if that was asked for.
const OWNERS: &str = "owners were not restored: the target cannot set them over this transport";

/// What to restore, and how.
#[derive(Debug, Clone)]
pub struct Order {
    /// Everything goes below this directory: absolute, without `..`.
    pub into: Vec<u8>,
    /// What happens to what is there already.
    pub existing: Existing,
    /// Whether owners are restored.
    pub owners: bool,
    /// Something that only this job has, the same in each of its attempts.
    pub tag: String,
    /// True if nothing may be changed: entries come without content, and the report says what would become of them.
    pub dry_run: bool,
}

/// What is to be restored, in the order of the snapshot.
#[derive(Debug)]
pub enum Item {
    /// The next thing. Of a hard link the file came before.
    Entry {
        /// What it is.
        entry: Entry,
        /// False if its content could not be read whole when it was backed up.
        whole: bool,
    },
    /// Content of the file that came last.
    Data(Bytes),
    /// The file that came last is over, and its content is what it should be.
    End,
}

/// Restores all that comes. Ends when nothing more can come.
///
/// # Errors
/// `target_full`, `target_read_only`, `target_path_unusable`, `cancelled`, and what ends a connection. Single paths that
/// cannot be written are counted in the report. After an error, and also when this is cancelled, nothing half-written is
/// left, as long as the target answers; what was finished stays.
pub async fn restore(
    target: Arc<dyn FileTarget>,
    order: &Order,
    items: mpsc::Receiver<Item>,
    cancel: &CancellationToken,
) -> Result<RestoreReport, JobError> {
    let resolving = cancel.run_until_cancelled(Base::resolve(target.as_ref(), &order.into));
    let base = resolving
        .await
        .unwrap_or_else(|| Err(JobError::new(ErrorCode::Cancelled, "the restore was cancelled", "")))?;
    let rules = Rules {
        existing: order.existing,
        owners: order.owners && target.abilities().owners,
        abilities: target.abilities(),
    };
    let shared = Arc::new(Shared::new(target, base, rules, order.tag.clone(), order.dry_run));
    let mut work = Work {
        crew: Crew::new(cancel.clone()),
        lanes: Arc::new(Semaphore::new(shared.abilities.lanes)),
        directories: Directories::new(Arc::clone(&shared)),
        shared: Arc::clone(&shared),
    };
    let done = work.run(items).await;
    work.crew.stop().await;
    shared.clean().await;
    let mut report = report(&shared).await;
    if order.owners && !shared.abilities.owners {
        report.not_set.push(OWNERS.to_owned());
    }
    match done {
        Ok(()) => Ok(report),
        Err(error) => Err(with_what_stays(error, &report)),
    }
}

async fn report(shared: &Shared) -> RestoreReport {
    let mut report = shared.tally.report();
    if shared.dry_run {
        let room = shared.target.room(shared.base.shown()).await.ok().flatten();
        report.free_bytes = room.map(|room| room.free_bytes);
        if room.is_some_and(|room| room.read_only) {
            report.obstacles.insert(0, "the file system is read-only".to_owned());
        }
    }
    report.not_set = shared.target.missed();
    report.dry_run = shared.dry_run;
    report.place = shared.target.place().to_owned();
    report.into = super::tally::told(&shared.base.whole());
    report
}

/// Says what an attempt that failed has done.
fn with_what_stays(mut error: JobError, report: &RestoreReport) -> JobError {
    let written = report.written();
    if !report.dry_run && written.entries > 0 {
        error.hint = format!(
            "{} {} entries ({} bytes) were written before, and stay.",
            error.hint, written.entries, written.bytes
        );
    }
    error
}

struct Work {
    shared: Arc<Shared>,
    directories: Directories,
    lanes: Arc<Semaphore>,
    crew: Crew,
}

impl Work {
    async fn run(&mut self, mut items: mpsc::Receiver<Item>) -> Result<(), JobError> {
        while let Some(item) = self.crew.meanwhile(items.recv()).await? {
            let Item::Entry { entry, whole } = item else {
                // Content belongs to a file, which takes it.
                continue;
            };
            self.entry(entry, whole, &mut items).await?;
        }
        for left in self.directories.leave_all() {
            self.crew.begin(left.settle(Arc::clone(&self.shared)));
        }
        self.crew.rest().await
    }

    async fn entry(&mut self, entry: Entry, whole: bool, items: &mut mpsc::Receiver<Item>) -> Result<(), JobError> {
        let below = &self.shared.base.below;
        let relative = match below.is_empty() {
            true => entry.path.as_bytes().to_vec(),
            false => [below, entry.path.as_bytes()].join(&b'/'),
        };
        for left in self.directories.leave(&relative) {
            self.crew.begin(left.settle(Arc::clone(&self.shared)));
        }
        let parent = self.crew.meanwhile(self.directories.parent_of(&relative)).await??;
        if entry.kind == EntryKind::Directory {
            let entering = self.directories.enter(&relative, Some(&entry));
            return self.crew.meanwhile(entering).await?;
        }
        let path = self.shared.base.join(&relative);
        let parent = match parent {
            Ok(parent) if whole => parent,
            Ok(_) => {
                let why = "could not be read whole when it was backed up".to_owned();
                return self
                    .pass_over(RestoreAction::Incomplete, why, &entry, &path, items)
                    .await;
            }
            Err((action, why)) => return self.pass_over(action, why, &entry, &path, items).await,
        };
        let piece = Piece { entry, path, parent };
        match &piece.entry.kind {
            EntryKind::Directory => Ok(()),
            EntryKind::Symlink { .. } => {
                let shared = Arc::clone(&self.shared);
                self.beside(files::symlink(shared, piece)).await
            }
            EntryKind::HardLink { target } => {
                let file = match below.is_empty() {
                    true => self.shared.base.join(target.as_bytes()),
                    false => self.shared.base.join(&[below, target.as_bytes()].join(&b'/')),
                };
                self.hard_link(piece, file).await
            }
            EntryKind::File { size } => match *size {
                _ if self.shared.dry_run => {
                    let shared = Arc::clone(&self.shared);
                    self.beside(files::whole(shared, piece, Vec::new())).await
                }
                size if size <= SMALL => self.small(piece, items).await,
                _ => self.large(piece, items).await,
            },
        }
    }

    /// Does something in a lane of its own as soon as one is free.
    async fn beside(
        &mut self,
        work: impl Future<Output = Result<(), JobError>> + Send + 'static,
    ) -> Result<(), JobError> {
        let lane = self.crew.meanwhile(Arc::clone(&self.lanes).acquire_owned()).await?;
        self.crew.begin(async move {
            let done = work.await;
            drop(lane);
            done
        });
        Ok(())
    }

    /// The file it links to may still be under way.
    async fn hard_link(&mut self, piece: Piece, file: Vec<u8>) -> Result<(), JobError> {
        let all = self.shared.abilities.lanes as u32;
        let idle = self
            .crew
            .meanwhile(Arc::clone(&self.lanes).acquire_many_owned(all))
            .await?;
        let shared = Arc::clone(&self.shared);
        let linked = self.crew.meanwhile(files::hard_link(&shared, piece, &file)).await?;
        drop(idle);
        linked
    }

    async fn small(&mut self, piece: Piece, items: &mut mpsc::Receiver<Item>) -> Result<(), JobError> {
        let mut content = Vec::new();
        while let Some(data) = self.content(items).await? {
            content.push(data);
        }
        let shared = Arc::clone(&self.shared);
        self.beside(files::whole(shared, piece, content)).await
    }

    async fn large(&mut self, piece: Piece, items: &mut mpsc::Receiver<Item>) -> Result<(), JobError> {
        let shared = Arc::clone(&self.shared);
        let mut open: Option<Open> = self.crew.meanwhile(files::begin(&shared, piece)).await??;
        while let Some(data) = self.content(items).await? {
            if let Some(writing) = open.take() {
                open = self.crew.meanwhile(files::write(&shared, writing, data)).await??;
            }
        }
        match open {
            Some(open) => self.crew.meanwhile(files::finish(&shared, open)).await?,
            None => Ok(()),
        }
    }

    /// The next bytes of the file that came last; `None` once it is over.
    async fn content(&mut self, items: &mut mpsc::Receiver<Item>) -> Result<Option<Bytes>, JobError> {
        match self.crew.meanwhile(items.recv()).await? {
            Some(Item::Data(data)) => Ok(Some(data)),
            Some(Item::End) => Ok(None),
            // Whoever reads the snapshot has the reason; half a file must not be put in place.
            Some(Item::Entry { .. }) | None => Err(JobError::new(
                ErrorCode::Internal,
                "the snapshot broke off in the middle of a file",
                "",
            )),
        }
    }

    /// Counts something that is not written, and takes its content.
    async fn pass_over(
        &mut self,
        action: RestoreAction,
        why: String,
        entry: &Entry,
        path: &[u8],
        items: &mut mpsc::Receiver<Item>,
    ) -> Result<(), JobError> {
        self.shared.tally.note(action, path, size_of(entry), Some(why));
        if matches!(entry.kind, EntryKind::File { .. }) && !self.shared.dry_run {
            while self.content(items).await?.is_some() {}
        }
        Ok(())
    }
}
