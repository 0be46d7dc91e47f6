//! `xvault admin worker`: look at workers, drain and retire them, with nothing but the database.

use std::fmt::Write;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Subcommand;
use sqlx::PgConnection;

use crate::{
    db::{Transaction, workers},
    domain::ids::WorkerId,
    hub::{
        actions::{retirement, workers as actions},
        views::{WorkerDetailView, WorkerView},
    },
};

/// Who the audit log names.
const OPERATOR: &str = "operator";

/// What to do with workers.
#[derive(Debug, Clone, Subcommand)]
pub enum WorkerCommand {
    /// List the workers that are not retired
    List,
    /// Show what a worker runs, what waits for it and what only it has
    Show {
        /// Its id
        id: WorkerId,
    },
    /// Let it take no new backups; it finishes what it runs and serves what it has
    Drain {
        /// Its id
        id: WorkerId,
    },
    /// Let a drained worker take work again
    Undrain {
        /// Its id
        id: WorkerId,
    },
    /// End a worker for ever: what only it has becomes missing. Without --confirm, show what that is
    Retire {
        /// Its id
        id: WorkerId,
        /// The id once more
        #[arg(long, value_name = "ID")]
        confirm: Option<String>,
    },
}

/// Does it in the caller's transaction; answers what to print.
pub async fn run(tx: &mut Transaction, now: DateTime<Utc>, command: WorkerCommand) -> anyhow::Result<String> {
    Ok(match command {
        WorkerCommand::List => list(tx, now).await?,
        WorkerCommand::Show { id } => shown(&actions::detail(tx, now, &id).await?),
        WorkerCommand::Drain { id } => {
            actions::drain(tx, &id, true, OPERATOR).await?;
            format!("{id} takes no new backups")
        }
        WorkerCommand::Undrain { id } => {
            actions::drain(tx, &id, false, OPERATOR).await?;
            format!("{id} takes work again")
        }
        WorkerCommand::Retire { id, confirm: None } => {
            let detail = actions::detail(tx, now, &id).await?;
            format!(
                "{}\nRetiring cannot be undone. To do it: xvault admin worker retire {id} --confirm {id}",
                shown(&detail)
            )
        }
        WorkerCommand::Retire {
            id,
            confirm: Some(confirm),
        } => {
            let done = retirement::retire_as(tx, now, &id, &confirm, OPERATOR)
                .await
                .with_context(|| format!("{id} was not retired"))?;
            format!(
                "{id} is retired: {} snapshots are missing now, {} waiting jobs failed, {} deletions go to other workers",
                done.snapshots_missing, done.jobs_failed, done.deletions_moved
            )
        }
    })
}

async fn list(conn: &mut PgConnection, now: DateTime<Utc>) -> anyhow::Result<String> {
    let mut text = format!(
        "{:36}  {:9}  {:>7}  {:20}  {}",
        "id", "state", "jobs", "last seen", "host"
    );
    for worker in workers::fleet(conn).await? {
        let worker = WorkerView::new(worker, now);
        let jobs = format!("{}/{}", worker.running, worker.concurrency);
        let seen = worker.last_seen_at.format("%Y-%m-%dT%H:%M:%SZ");
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n{:36}  {:9}  {jobs:>7}  {seen:20}  {}",
            worker.id.as_str(),
            worker.state.as_str(),
            worker.hostname
        );
    }
    Ok(text)
}

fn shown(detail: &WorkerDetailView) -> String {
    let worker = &detail.worker;
    let mut lines = vec![
        format!("{} on {} is {}", worker.id, worker.hostname, worker.state),
        format!("last seen {}", worker.last_seen_at.to_rfc3339()),
    ];
    lines.extend(
        worker
            .paused_reason
            .iter()
            .map(|why| format!("takes no backups: {why}")),
    );
    for job in &detail.running_jobs {
        let phase = job.phase.as_deref().unwrap_or("starting");
        lines.push(format!("runs {} {} of {} ({phase})", job.kind, job.id, job.tenant_name));
    }
    for jobs in &detail.waiting {
        let (count, kind, tenant) = (jobs.jobs, jobs.kind, &jobs.tenant_name);
        lines.push(format!(
            "{count} {kind} jobs of {tenant} ({}) wait for it",
            jobs.tenant_id
        ));
    }
    for held in &detail.holds {
        let (count, mib, tenant) = (held.snapshots, held.bytes_stored >> 20, &held.tenant_name);
        lines.push(format!(
            "only it has {count} snapshots of {tenant} ({}), {mib} MiB",
            held.tenant_id
        ));
    }
    if detail.waiting.is_empty() && detail.holds.is_empty() {
        lines.push("nothing waits for it, and no snapshot lies there".to_owned());
    }
    lines.join("\n")
}
