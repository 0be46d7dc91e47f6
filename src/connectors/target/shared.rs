//! What all tasks of one restore know.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    Abilities, FileTarget, Found, Refusal, TargetError,
    base::Base,
    decide::{Decision, Rules},
    rights::{may_settle, may_write_into},
    tally::{Tally, told},
};
use crate::domain::{error_code::ErrorCode, job::JobError, server_restore::RestoreAction};

/// For removing what was not finished, on a target that may be in trouble.
const CLEANING: Duration = Duration::from_secs(30);

/// With fewer bytes left than this, a refusal to write is taken for a lack of room.
const LITTLE_ROOM: u64 = 1 << 20;

/// What all tasks of one restore know.
pub struct Shared {
    pub target: Arc<dyn FileTarget>,
    pub abilities: Abilities,
    pub rules: Rules,
    /// True if nothing may be changed.
    pub dry_run: bool,
    /// Tells temporary files of this job from others'.
    pub tag: String,
    pub base: Base,
    pub tally: Tally,
    /// Temporary files that exist, or may.
    temporaries: Mutex<BTreeSet<Vec<u8>>>,
}

impl Shared {
    /// With nothing done yet.
    pub fn new(target: Arc<dyn FileTarget>, base: Base, rules: Rules, tag: String, dry_run: bool) -> Self {
        Self {
            abilities: target.abilities(),
            target,
            rules,
            dry_run,
            tag,
            base,
            tally: Tally::default(),
            temporaries: Mutex::default(),
        }
    }

    /// The name under which `path` is written. The same for every attempt of a job, so that the next one finds what the
    /// last one left; of constant length, because the name itself may be as long as names can be.
    pub fn temporary(&self, path: &[u8]) -> Vec<u8> {
        let slash = path.iter().rposition(|&b| b == b'/').unwrap_or(0);
        let hash = blake3::hash(&[self.tag.as_bytes(), b"/", path].concat()).to_hex();
        let mut temporary = path[..slash].to_vec();
        temporary.extend_from_slice(format!("/.xvault-{}.part", &hash[..24]).as_bytes());
        temporary
    }

    /// Notes that a temporary file will exist.
    pub fn begins(&self, temporary: &[u8]) {
        self.lock().insert(temporary.to_vec());
    }

    /// Notes that a temporary file does not exist any more.
    pub fn ended(&self, temporary: &[u8]) {
        self.lock().remove(temporary);
    }

    /// Removes a temporary file that is of no use any more. What does not go now is tried again at the end.
    pub async fn discard(&self, temporary: &[u8]) {
        if self.target.remove(temporary).await.is_ok() {
            self.ended(temporary);
        }
    }

    /// Removes all temporary files that may be left.
    pub async fn clean(&self) {
        let left: Vec<_> = self.lock().iter().cloned().collect();
        let cleaning = async {
            for temporary in left {
                self.discard(&temporary).await;
            }
        };
        // A server that does not answer keeps them; the next attempt of the job writes over them.
        let _ = tokio::time::timeout(CLEANING, cleaning).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<Vec<u8>>> {
        // Nothing panics while holding it.
        self.temporaries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is there.
    ///
    /// # Errors
    /// `Ok(Err(_))` if this one path cannot be looked at: then it was counted as refused, with the reason.
    pub async fn look(&self, path: &[u8], bytes: u64) -> Result<Result<Option<Found>, String>, JobError> {
        match self.target.look(path).await {
            Ok(found) => Ok(Ok(found)),
            Err(TargetError::Over(error)) => Err(error),
            Err(TargetError::Refused { message, .. }) => {
                let why = format!("cannot be looked at: {message}");
                self.tally.note(RestoreAction::Refused, path, bytes, Some(why.clone()));
                Ok(Err(why))
            }
        }
    }

    /// Counts a refusal of one path, or ends everything if there is no use in going on.
    pub async fn refused(&self, path: &[u8], bytes: u64, error: TargetError) -> Result<String, JobError> {
        let (why, message) = match error {
            TargetError::Over(error) => return Err(error),
            TargetError::Refused { why, message } => (why, message),
        };
        if why != Refusal::Denied {
            self.diagnose(path, why).await?;
        }
        self.tally
            .note(RestoreAction::Refused, path, bytes, Some(message.clone()));
        Ok(message)
    }

    /// Fails if there is no room left, or nothing can be written at all: SFTP itself says only "failure".
    async fn diagnose(&self, path: &[u8], why: Refusal) -> Result<(), JobError> {
        let place = self.target.place();
        let room = match self.target.room(self.existing_directory(path)).await {
            Ok(room) => room,
            Err(TargetError::Over(error)) => return Err(error),
            Err(TargetError::Refused { .. }) => None,
        };
        let full = room.is_some_and(|room| room.free_bytes < LITTLE_ROOM || !room.free_files);
        if full || why == Refusal::Full {
            return Err(JobError::new(
                ErrorCode::TargetFull,
                format!("no room is left on {place} for {}", told(path)),
                "Make room there, then restore again: what is there already is not written twice.",
            ));
        }
        if room.is_some_and(|room| room.read_only) {
            return Err(JobError::new(
                ErrorCode::TargetReadOnly,
                format!("the file system of {} on {place} is read-only", told(path)),
                "Choose another directory, or mount it for writing.",
            ));
        }
        Ok(())
    }

    /// The directory that something lies in; made by us or found there.
    fn existing_directory<'p>(&'p self, path: &'p [u8]) -> &'p [u8] {
        match path.iter().rposition(|&b| b == b'/') {
            Some(slash) if slash > 0 => &path[..slash],
            _ => self.base.shown(),
        }
    }

    /// Of a dry run: notes what stands in the way of writing into a directory that exists.
    pub fn foresee_writing(&self, directory: &[u8], found: &Found) {
        let allowed = self.target.login().and_then(|login| may_write_into(login, found));
        if allowed == Some(false) {
            self.tally
                .obstacle(format!("the login may not write in {}", told(directory)));
        }
    }

    /// Of a dry run: notes what stands in the way of changing a directory that exists.
    pub fn foresee_settling(&self, directory: &[u8], found: &Found, decision: &Decision) {
        let allowed = self.target.login().and_then(|login| may_settle(login, found));
        if decision.0 == RestoreAction::Overwrite && allowed == Some(false) {
            self.tally
                .obstacle(format!("the login may not change the mode of {}", told(directory)));
        }
    }
}
