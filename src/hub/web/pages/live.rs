//! Live progress of jobs as server-sent events, for `static/live.js`.
//!
//! `progress` carries numbers; `changed` says that the page itself should be fetched again. A stream ends
//! after a while and the browser opens a new one, so an ended session does not watch on.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse,
    sse::{Event, KeepAlive, Sse},
};
use futures::Stream;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    error::PageError,
    filters::states::{kind_word, phase_text},
    form::Query,
    visit::{Answer, Visit},
};
use crate::{
    domain::{ids::JobId, job::JobState},
    hub::{actions::jobs, live::Watch, views::JobView},
};

/// Jobs one stream may watch.
const MAX_JOBS: usize = 20;

/// Shortest time between two looks at the database.
const PACE: Duration = Duration::from_millis(400);

/// Longest silence before looking anyway.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a stream lives.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Address of the stream that watches `jobs`; empty if there is nothing to watch.
pub fn address<'a>(jobs: impl IntoIterator<Item = &'a JobView>) -> String {
    let ids: Vec<&str> = jobs.into_iter().take(MAX_JOBS).map(|job| job.id.as_str()).collect();
    match ids.is_empty() {
        true => String::new(),
        false => format!("/live?jobs={}", ids.join(",")),
    }
}

/// Numbers of a running job.
#[derive(Serialize)]
struct ProgressEvent<'a> {
    id: &'a JobId,
    state: JobState,
    phase: String,
    bytes: u64,
    files: u64,
    total_bytes: Option<u64>,
}

/// A job whose page looks different now.
#[derive(Serialize)]
struct ChangedEvent<'a> {
    id: &'a JobId,
    /// For screen readers.
    announcement: String,
}

/// A job as it was last told.
struct Watched {
    id: JobId,
    told: Option<JobView>,
}

struct LiveStream {
    visit: Visit,
    changes: Watch,
    jobs: Vec<Watched>,
    pending: Vec<Event>,
    ends_at: Instant,
}

/// `GET /live?jobs=job_…,job_…`
pub async fn stream(visit: Visit, Query(query): Query) -> Answer {
    let ids: Result<Vec<JobId>, _> = query.text("jobs").split(',').take(MAX_JOBS).map(str::parse).collect();
    let ids = ids.map_err(|_| PageError::not_found())?;
    let changes = visit.hub.live.watch(None);
    for id in &ids {
        // Somebody else's job is refused here, before anything streams.
        jobs::get(&visit.hub, &visit.actor, id).await?;
    }
    let live = LiveStream {
        visit,
        changes,
        jobs: ids.into_iter().map(|id| Watched { id, told: None }).collect(),
        pending: Vec::new(),
        ends_at: Instant::now() + LIFETIME,
    };
    Ok(Sse::new(live.events()).keep_alive(KeepAlive::default()).into_response())
}

impl LiveStream {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        futures::stream::unfold(self, |mut live| async move {
            let event = live.next().await?;
            Some((Ok(event), live))
        })
    }

    /// The next event; `None` when there will be no more.
    async fn next(&mut self) -> Option<Event> {
        let mut first = self.jobs.iter().all(|job| job.told.is_none());
        while self.pending.is_empty() {
            if !first {
                self.wait().await?;
            }
            first = false;
            self.look().await?;
        }
        self.pending.pop()
    }

    async fn wait(&mut self) -> Option<()> {
        if Instant::now() > self.ends_at {
            return None;
        }
        let stop = self.visit.hub.shutdown.clone();
        let changed = tokio::time::timeout(PATIENCE, self.changes.changed());
        // Whether it changed or the time is up: look.
        let _ = stop.run_until_cancelled(changed).await?;
        stop.run_until_cancelled(tokio::time::sleep(PACE)).await
    }

    /// Reads the jobs and notes what to tell. Ends the stream when they are all over, or gone.
    async fn look(&mut self) -> Option<()> {
        let mut open = false;
        for watched in &mut self.jobs {
            if watched.told.as_ref().is_some_and(|job| job.state.is_final()) {
                continue;
            }
            let job = jobs::get(&self.visit.hub, &self.visit.actor, &watched.id).await.ok()?;
            open = true;
            self.pending.extend(events_between(watched.told.as_ref(), &job));
            watched.told = Some(job);
        }
        open.then_some(())
    }
}

/// What to tell about a job that was in one state and is in another.
fn events_between(before: Option<&JobView>, now: &JobView) -> Option<Event> {
    let Some(before) = before else {
        // The page may be older than the stream: a job that ended in between has to show.
        return if now.state.is_final() {
            changed(now)
        } else {
            progress(now)
        };
    };
    let looks_different = before.state != now.state
        || before.phase != now.phase
        || before.attempt != now.attempt
        || before.cancel_requested != now.cancel_requested
        || before.waiting_for.is_some() != now.waiting_for.is_some()
        || before.held_back.is_some() != now.held_back.is_some();
    if looks_different {
        changed(now)
    } else if before.progress != now.progress {
        progress(now)
    } else {
        None
    }
}

fn progress(job: &JobView) -> Option<Event> {
    let event = ProgressEvent {
        id: &job.id,
        state: job.state,
        phase: phase_text(job.phase.as_deref()),
        bytes: job.progress.bytes,
        files: job.progress.files,
        total_bytes: job.progress.total_bytes,
    };
    Event::default().event("progress").json_data(event).ok()
}

/// What somebody hears who cannot see the page.
fn announcement(job: &JobView) -> String {
    let what = match job.state {
        JobState::Running => phase_text(job.phase.as_deref()).to_lowercase(),
        state => state.to_string(),
    };
    format!("{} of {}: {what}", kind_word(job.kind), job.source_name)
}

fn changed(job: &JobView) -> Option<Event> {
    let event = ChangedEvent {
        id: &job.id,
        announcement: announcement(job),
    };
    Event::default().event("changed").json_data(event).ok()
}
