//! What the caller should know about the fleet: administrators of the platform about all of it, everybody
//! about what concerns their own tenant. Nothing here names another tenant or counts its things for them.

use super::{
    ActionError, Actor,
    fleet::{self, Fleet},
};
use crate::{
    db::holdings,
    domain::{
        ids::WorkerId,
        worker::{Worker, WorkerState},
    },
    hub::{
        Hub,
        views::{AlertKind, AlertView, Severity},
    },
};

/// Due for longer than this although workers are there: the queue does not keep up, or stands.
const STUCK_AFTER_S: f64 = 600.0;

/// What the caller should know, the most important first.
pub async fn of(hub: &Hub, actor: &Actor) -> Result<Vec<AlertView>, ActionError> {
    let fleet = fleet::of(hub).await?;
    let mut alerts: Vec<AlertView> = nobody_works(&fleet, actor).into_iter().collect();
    alerts.extend(unreachable(hub, actor, &fleet).await?);
    if actor.platform_admin {
        alerts.extend(fleet.gone().filter_map(|worker| away(&fleet, worker)));
        alerts.extend(stuck(&fleet));
        alerts.extend(fleet.online().filter_map(short_of_disk));
        alerts.extend(versions(&fleet));
    }
    alerts.sort_by_key(|alert| std::cmp::Reverse(alert.severity));
    Ok(alerts)
}

fn nobody_works(fleet: &Fleet, actor: &Actor) -> Option<AlertView> {
    let severity = Severity::Critical;
    if fleet.online().next().is_none() {
        let message = "No worker is online, so nothing can run.";
        let hint = match actor.platform_admin {
            true => "Start `xvault worker` on at least one machine. Jobs wait until then.",
            false => "Whoever runs this installation has to start one. Jobs wait until then.",
        };
        return Some(AlertView::new(AlertKind::NoWorkerOnline, severity, message, hint));
    }
    if fleet.online().any(|worker| worker.takes_backups(fleet.seen_at)) {
        return None;
    }
    let message = "No worker takes backups just now.";
    let hint = match actor.platform_admin {
        true => "Every worker that is online is drained, stopping or short of disk. Backups wait until one takes them.",
        false => "Backups wait until whoever runs this installation makes room for them. Restores go on.",
    };
    Some(AlertView::new(AlertKind::NobodyTakesBackups, severity, message, hint))
}

/// Snapshots of the caller's tenant that lie with workers which are not there.
async fn unreachable(hub: &Hub, actor: &Actor, fleet: &Fleet) -> Result<Vec<AlertView>, ActionError> {
    let gone: Vec<WorkerId> = fleet.gone().map(|worker| worker.id.clone()).collect();
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let mut conn = hub.connection().await?;
    let lying = holdings::of_tenant(&mut conn, &actor.tenant_id, &gone).await?;
    let alerts = lying.iter().filter_map(|lying| {
        let worker = fleet.workers.iter().find(|worker| worker.id == lying.worker_id)?;
        let (lie, them) = match lying.snapshots {
            1 => ("1 of your snapshots lies".to_owned(), "it"),
            n => (format!("{n} of your snapshots lie"), "them"),
        };
        let message = format!("{lie} on worker {}, which is {}.", worker.hostname, word(worker, fleet));
        let hint = format!("Restores and checks of {them} wait until it is back. New backups go elsewhere.");
        Some(about(
            worker,
            AlertKind::SnapshotsUnreachable,
            Severity::Warning,
            message,
            hint,
        ))
    });
    Ok(alerts.collect())
}

/// A worker that fell silent, or one that was stopped although others wait for what it has.
fn away(fleet: &Fleet, worker: &Worker) -> Option<AlertView> {
    let (lies, waits) = (fleet.lies_with(worker), fleet.waiting_for(worker));
    let stopped = worker.state(fleet.seen_at) == WorkerState::Stopped;
    let needed = lies.is_some() || waits.is_some();
    if stopped && !needed {
        return None;
    }
    let message = format!("Worker {} is {}.", worker.hostname, word(worker, fleet));
    let holds = match lies {
        Some(lies) => format!(
            "Only it has {} snapshots ({} MiB) of {} tenants. ",
            lies.snapshots,
            lies.bytes_stored >> 20,
            lies.tenants
        ),
        None => "No snapshot lies there. ".to_owned(),
    };
    let jobs = waits.map_or(String::new(), |queue| format!("{} jobs wait for it. ", queue.jobs));
    let hint = format!("{holds}{jobs}Start it again with its directories; if it is gone for ever, retire it.");
    let severity = match needed && !stopped {
        true => Severity::Critical,
        false => Severity::Warning,
    };
    Some(about(worker, AlertKind::WorkerAway, severity, message, hint))
}

fn stuck(fleet: &Fleet) -> Option<AlertView> {
    let work = fleet.work().filter(|queue| queue.oldest_s > STUCK_AFTER_S)?;
    let takers = || fleet.online().filter(|worker| worker.takes_backups(fleet.seen_at));
    let (running, places) = takers().fold((0, 0), |(running, places), worker| {
        (running + worker.running, places + worker.concurrency)
    });
    if places == 0 {
        return None;
    }
    let minutes = (work.oldest_s / 60.0).floor();
    let message = format!("{} jobs are due, the oldest for {minutes} minutes.", work.jobs);
    let hint = match running >= places {
        true => {
            format!("All {places} places of the workers are taken: add workers, or let them run more jobs at once.")
        }
        false => format!(
            "{running} of {places} places of the workers are taken, so limits hold jobs back or something is \
             wrong: look at the workers' logs."
        ),
    };
    Some(AlertView::new(AlertKind::QueueStuck, Severity::Warning, message, hint))
}

fn short_of_disk(worker: &Worker) -> Option<AlertView> {
    if let Some(reason) = &worker.paused_reason {
        let message = format!("Worker {} takes no backups.", worker.hostname);
        let hint = format!("{reason}. It goes on by itself once there is room.");
        return Some(about(worker, AlertKind::DiskShort, Severity::Warning, message, hint));
    }
    let (total, free) = (worker.storage_total_bytes?, worker.storage_free_bytes?);
    if total <= 0 || free >= total / 10 {
        return None;
    }
    let message = format!("The disk of worker {} is nearly full.", worker.hostname);
    let hint = format!(
        "{} of {} MiB are free. Make room, or add a worker.",
        free >> 20,
        total >> 20
    );
    Some(about(worker, AlertKind::DiskShort, Severity::Info, message, hint))
}

fn versions(fleet: &Fleet) -> Option<AlertView> {
    let versions = fleet.versions();
    if versions.len() < 2 {
        return None;
    }
    let message = format!("Hubs and workers run several versions: {}.", versions.join(", "));
    let hint = "That is fine during an upgrade. Restart what runs an older version to end it.";
    Some(AlertView::new(AlertKind::VersionsDiffer, Severity::Info, message, hint))
}

/// `away` or `stopped`.
fn word(worker: &Worker, fleet: &Fleet) -> &'static str {
    worker.state(fleet.seen_at).as_str()
}

fn about(worker: &Worker, kind: AlertKind, severity: Severity, message: String, hint: String) -> AlertView {
    let gone = matches!(kind, AlertKind::WorkerAway | AlertKind::SnapshotsUnreachable);
    AlertView {
        worker_id: Some(worker.id.clone()),
        since: gone.then(|| worker.gone_since()),
        ..AlertView::new(kind, severity, message, hint)
    }
}
