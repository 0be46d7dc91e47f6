//! Rows of jobs into views: with the names of sources, who they wait for, and the links of restores.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{ActionError, Actor, export_links};
use crate::{
    db::{exports, jobs, snapshots, sources, workers},
    domain::{
        dump,
        ids::{JobId, WorkerId},
        job::{Job, JobKind, JobPayload, JobState},
        user::Role,
        worker::Worker,
    },
    hub::{
        Hub,
        views::{JobView, RestoreTarget, WaitingFor},
    },
    queue::route,
};

pub(super) async fn one(conn: &mut PgConnection, hub: &Hub, actor: &Actor, job: Job) -> Result<JobView, ActionError> {
    let mut views = many(conn, hub, actor, vec![job]).await?;
    views.pop().ok_or_else(|| ActionError::internal("a job without view"))
}

/// At most one page of jobs, in the same order.
pub(super) async fn many(
    conn: &mut PgConnection,
    hub: &Hub,
    actor: &Actor,
    jobs: Vec<Job>,
) -> Result<Vec<JobView>, ActionError> {
    let now = hub.clock.now();
    let targets = jobs
        .iter()
        .filter_map(Job::server_restore)
        .map(|order| &order.target_source_id);
    let source_ids: Vec<_> = jobs.iter().map(|job| &job.source_id).chain(targets).cloned().collect();
    let names: HashMap<_, _> = sources::names(conn, &actor.tenant_id, &source_ids)
        .await?
        .into_iter()
        .collect();
    let mut known = KnownWorkers::default();
    let mut results = restore_results(conn, hub, actor, &jobs, &mut known).await?;
    let waiting = jobs.iter().filter(|job| job.state == JobState::Queued);
    let waiting: Vec<JobId> = waiting.map(|job| job.id.clone()).collect();
    let held = jobs::held_back(conn, &actor.tenant_id, &waiting).await?;
    let mut held: HashMap<_, _> = held.into_iter().map(|held| (held.job_id.clone(), held)).collect();
    let mut views = Vec::with_capacity(jobs.len());
    for job in jobs {
        let waiting_for = match only_worker(&job) {
            Some(worker) => known.get(conn, &worker).await?.and_then(|worker| away(worker, now)),
            None => None,
        };
        let target = job.server_restore().map(|order| RestoreTarget {
            source_id: order.target_source_id.clone(),
            source_name: names.get(&order.target_source_id).cloned().unwrap_or_default(),
            dry_run: order.dry_run,
        });
        let result = results.remove(&job.id).or(job.result);
        let waits = job.state == JobState::Queued && job.run_at > now;
        views.push(JobView {
            target,
            held_back: held.remove(&job.id).map(Into::into),
            source_name: names.get(&job.source_id).cloned().unwrap_or_default(),
            id: job.id,
            kind: job.kind,
            state: job.state,
            source_id: job.source_id,
            snapshot_id: job.snapshot_id,
            worker_id: job.worker_id,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            phase: job.phase,
            progress: job.progress,
            error: job.error,
            warnings: job.warnings,
            result,
            cancel_requested: job.cancel_requested,
            waiting_for,
            scheduled_for: waits.then_some(job.run_at),
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
        });
    }
    Ok(views)
}

/// What succeeded restores made; the stored result holds no link.
async fn restore_results(
    conn: &mut PgConnection,
    hub: &Hub,
    actor: &Actor,
    jobs: &[Job],
    known: &mut KnownWorkers,
) -> Result<HashMap<JobId, serde_json::Value>, ActionError> {
    let made =
        |job: &&Job| job.kind == JobKind::Restore && matches!(job.state, JobState::Succeeded | JobState::Partial);
    let ids: Vec<JobId> = jobs.iter().filter(made).map(|job| job.id.clone()).collect();
    let mut results = HashMap::new();
    if ids.is_empty() {
        return Ok(results);
    }
    let key = match actor.role.includes(Role::Operator) {
        true => Some(hub.data_key(conn, &actor.tenant_id).await?),
        false => None,
    };
    let exports = exports::of_jobs(conn, &actor.tenant_id, &ids).await?;
    let read = exports.iter().map(|export| export.new.snapshot_id.clone());
    let dumps = snapshots::dumps_of(conn, &actor.tenant_id, &read.collect::<Vec<_>>()).await?;
    for export in exports {
        let worker = known.get(conn, &export.new.worker_id).await?;
        let paths = jobs
            .iter()
            .find(|job| job.id == export.new.job_id)
            .map(|job| match &job.payload {
                JobPayload::Restore { paths, .. } => paths.as_slice(),
                _ => &[],
            });
        let listed = dumps.get(&export.new.snapshot_id).map_or(&[][..], Vec::as_slice);
        let paths = dump::chosen(listed, paths.unwrap_or_default());
        let link = worker.zip(key.as_ref());
        let result = export_links::result(&export, &paths, hub.clock.now(), link);
        results.insert(export.new.job_id, result);
    }
    Ok(results)
}

/// The one worker that can do a waiting job.
fn only_worker(job: &Job) -> Option<WorkerId> {
    let waiting = job.state == JobState::Queued;
    route::worker_of(&job.queue).filter(|_| waiting)
}

fn away(worker: &Worker, now: DateTime<Utc>) -> Option<WaitingFor> {
    (!worker.is_online(now)).then(|| WaitingFor {
        worker_id: worker.id.clone(),
        hostname: worker.hostname.clone(),
        state: worker.state(now),
        since: worker.gone_since(),
        last_seen_at: worker.last_seen_at,
    })
}

/// Workers already looked up for this page.
#[derive(Default)]
struct KnownWorkers(HashMap<WorkerId, Option<Worker>>);

impl KnownWorkers {
    async fn get(&mut self, conn: &mut PgConnection, id: &WorkerId) -> Result<Option<&Worker>, ActionError> {
        if !self.0.contains_key(id) {
            self.0.insert(id.clone(), workers::get(conn, id).await?);
        }
        Ok(self.0.get(id).and_then(Option::as_ref))
    }
}
