//! Dumps into new databases of a server, one after the other.
//!
//! A database is removed again only if this job has made it: that is written down before it is made, where the next attempt
//! finds it. What was loaded whole is written down too, and not loaded twice.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{super::opened::Opened, dumps::StoredDump};
use crate::{
    connectors::{self, database::DumpTarget},
    db::{self, job_events},
    domain::{
        brief::SourceBrief,
        error_code::ErrorCode,
        job::JobError,
        server_restore::{RestoreAction, RestoreLine, RestoreReport, ServerRestore},
    },
    worker::{attempt::Attempt, node::Node},
};

/// For removing a database that was not loaded whole.
const DISCARD: Duration = Duration::from_secs(120);

/// Restores the chosen dumps, or finds out what that would do.
pub(super) async fn run(
    node: &Arc<Node>,
    attempt: &Arc<Attempt>,
    order: &ServerRestore,
    snapshot: Opened,
    target: SourceBrief,
) -> Result<RestoreReport, JobError> {
    let chosen = snapshot.chosen(attempt, &order.paths).await?;
    let target = connectors::open_dump_target(target, node.connector_context(), &attempt.cancel).await?;
    let work = Work {
        node,
        attempt,
        order,
        snapshot,
        target: target.as_ref(),
    };
    let done = work.run(chosen).await;
    target.close().await;
    done
}

struct Work<'a> {
    node: &'a Arc<Node>,
    attempt: &'a Arc<Attempt>,
    order: &'a ServerRestore,
    snapshot: Opened,
    target: &'a dyn DumpTarget,
}

impl Work<'_> {
    async fn run(&self, chosen: Vec<StoredDump>) -> Result<RestoreReport, JobError> {
        let cancel = &self.attempt.cancel;
        let names: Vec<String> = chosen
            .iter()
            .map(|dump| self.order.database_name(&dump.database))
            .collect();
        let there = self.target.names(cancel).await?;
        let missing = self.target.missing_rights(&names, cancel).await?;
        let mut report = RestoreReport {
            dry_run: self.order.dry_run,
            place: self.target.place().to_owned(),
            into: "new databases".to_owned(),
            ..RestoreReport::default()
        };
        if self.order.dry_run {
            report.obstacles = missing
                .iter()
                .map(|grant| format!("the login lacks: {grant}"))
                .collect();
        } else if let Some(first) = missing.first() {
            return Err(lacks(self.target.place(), first));
        }
        for (dump, name) in chosen.into_iter().zip(names) {
            let taken = there.contains(&name);
            let (action, why) = match self.order.dry_run {
                true if taken => (RestoreAction::Conflict, "there is a database of this name".to_owned()),
                true => (RestoreAction::Create, format!("from {}", dump.database)),
                false => self
                    .one(&dump, &name, taken)
                    .await
                    .map_err(|error| stays(error, &report))?,
            };
            report.note(
                action,
                dump.bytes,
                RestoreLine {
                    action,
                    path: name,
                    why: Some(why),
                },
            );
        }
        Ok(report)
    }

    async fn one(&self, dump: &StoredDump, name: &str, taken: bool) -> Result<(RestoreAction, String), JobError> {
        let making = format!("Making the database {name}");
        let made = format!("Loaded {} into the database {name}", dump.database);
        if taken {
            if self.has_said(&made).await? {
                return Ok((
                    RestoreAction::Unchanged,
                    format!("from {}, loaded before", dump.database),
                ));
            }
            if !self.has_said(&making).await? {
                return Ok((RestoreAction::Conflict, "there is a database of this name".to_owned()));
            }
            self.target.discard(name, &self.attempt.cancel).await?;
        }
        let origin = self.snapshot.origin(self.attempt, dump).await?;
        self.say(&making).await?;
        let cancel = &self.attempt.cancel;
        let mut notes = self.target.make(name, &origin, cancel).await?;
        let (feed, reading) = self.snapshot.stream(&dump.path, self.attempt);
        let (read, filled) = tokio::join!(reading, self.target.fill(name, &origin, feed, cancel));
        // A dump that broke off is the reader's fault, and only the loader's complaint.
        let filled = read.and(filled);
        let whole = match filled {
            Ok(more) => {
                notes.extend(more);
                self.say(&made).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = whole {
            return Err(self.not_loaded(name, error).await);
        }
        let from = format!("from {}", dump.database);
        Ok((RestoreAction::Create, [vec![from], notes].concat().join("; ")))
    }

    /// Removes what this job has made and not loaded whole. Also when the job was cancelled.
    async fn not_loaded(&self, name: &str, mut error: JobError) -> JobError {
        let never = CancellationToken::new();
        let discarding = tokio::time::timeout(DISCARD, self.target.discard(name, &never)).await;
        if !matches!(discarding, Ok(Ok(()))) {
            error.hint = format!("{} The database {name} could not be removed again.", error.hint);
        }
        error
    }

    /// Writes down what is done; nothing goes on without it.
    async fn say(&self, what: &str) -> Result<(), JobError> {
        self.attempt.phase(self.node, "restoring", what).await;
        match self.has_said(what).await? {
            true => Ok(()),
            false => Err(unwritten("the catalogue does not take it")),
        }
    }

    /// True if an attempt of this job has written that down.
    async fn has_said(&self, what: &str) -> Result<bool, JobError> {
        let job = &self.attempt.job;
        let read = async {
            let mut conn = self.node.pool.acquire().await?;
            job_events::has_message(&mut conn, &job.id, what).await
        };
        db::answered(read).await.map_err(|error| unwritten(&error.to_string()))
    }
}

fn unwritten(why: &str) -> JobError {
    JobError::new(
        ErrorCode::Internal,
        format!("what the restore does cannot be written down: {why}"),
        "It is tried again by itself. Check the database of xVault.",
    )
}

fn lacks(place: &str, first: &str) -> JobError {
    JobError::new(
        ErrorCode::MissingPrivilege,
        format!("the login may not make and fill databases on {place}. Needed: {first}"),
        "Give this one job a login that may, or run the statements that a dry run lists.",
    )
}

/// Says which databases were restored before one could not be.
fn stays(mut error: JobError, report: &RestoreReport) -> JobError {
    let before = report.written().entries;
    if before > 0 {
        error.hint = format!("{} {before} databases were restored before, and stay.", error.hint);
    }
    error
}
