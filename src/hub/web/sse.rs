//! A job as a live stream: what happened so far, then everything new, until the job is over.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{self, Stream};
use tokio::time::Instant;

use crate::{
    domain::ids::JobId,
    hub::{
        Hub,
        actions::{ActionError, Actor, jobs},
        live::Watch,
    },
};

/// How often a stream looks by itself, in case a notification was lost.
const LOOK: Duration = Duration::from_secs(5);

/// How often an idle stream shows that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a stream lives before the client has to come back and show again who it is.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// A live stream of events named `event` (a `JobEventView`, its `seq` as id), `job` (a `JobView`, whenever it
/// changed) and at last `end`. Starts after event `after`. Fails if the job is not the actor's tenant's.
pub async fn job_stream(
    hub: &Hub,
    actor: &Actor,
    job: JobId,
    after: i64,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>, ActionError> {
    let mut follower = Follower {
        // Before the first look, so that nothing falls between the two.
        watch: hub.live.watch(Some(job.clone())),
        hub: hub.clone(),
        actor: actor.clone(),
        job,
        after,
        shown: String::new(),
        ready: VecDeque::new(),
        over: false,
        ends_at: Instant::now() + LIFETIME,
    };
    follower.look().await?;
    let events = stream::unfold(follower, |mut follower| async {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

struct Follower {
    watch: Watch,
    hub: Hub,
    actor: Actor,
    job: JobId,
    /// Last event shown.
    after: i64,
    /// The job as last shown.
    shown: String,
    ready: VecDeque<Event>,
    over: bool,
    ends_at: Instant,
}

impl Follower {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            tokio::select! {
                () = self.hub.shutdown.cancelled() => return None,
                () = tokio::time::sleep_until(self.ends_at) => return None,
                () = self.watch.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            if let Err(error) = self.look().await {
                // The client comes back with the last id it saw.
                tracing::debug!(%error, "a live stream ends early");
                return None;
            }
        }
    }

    /// Reads what is new. The job first: an event that is written later is found by the next look, while a
    /// job read later could be over before its last events were read.
    async fn look(&mut self) -> Result<(), ActionError> {
        let job = jobs::get(&self.hub, &self.actor, &self.job).await?;
        loop {
            let events = jobs::events(&self.hub, &self.actor, &self.job, self.after).await?;
            let Some(last) = events.last() else { break };
            self.after = last.seq;
            for event in &events {
                let text = serde_json::to_string(event).map_err(ActionError::internal)?;
                let event = Event::default().event("event").id(event.seq.to_string()).data(text);
                self.ready.push_back(event);
            }
        }
        let text = serde_json::to_string(&job).map_err(ActionError::internal)?;
        if text != self.shown {
            self.ready.push_back(Event::default().event("job").data(&text));
            self.shown = text;
        }
        if job.state.is_final() {
            self.over = true;
            self.ready.push_back(Event::default().event("end").data("{}"));
        }
        Ok(())
    }
}
