//! Rows that tests of the queue need: tenants, sources, workers and jobs, without a hub.

use sqlx::PgConnection;
use xvault::{
    db::{
        jobs::{Finished, NewJob},
        sources, tenants, workers,
    },
    domain::{
        ids::{SourceId, TenantId, WorkerId},
        job::{Job, Progress, Warnings},
        source::{SourceConfig, SshConfig},
    },
    queue,
};

/// A tenant of its own.
pub async fn tenant(conn: &mut PgConnection) -> TenantId {
    let id = TenantId::generate();
    tenants::insert(conn, &id, "Test").await.expect("a tenant");
    id
}

/// A source that nobody connects to, at a server of its own.
pub async fn source(conn: &mut PgConnection, tenant: &TenantId) -> SourceId {
    source_at(conn, tenant, &format!("{}.example", SourceId::generate())).await
}

/// A source at this server.
pub async fn source_at(conn: &mut PgConnection, tenant: &TenantId, host: &str) -> SourceId {
    let id = SourceId::generate();
    let fields = sources::SourceFields {
        name: id.to_string(),
        config: SourceConfig::Ssh(SshConfig {
            host: host.into(),
            port: 22,
            user: "backup".into(),
            paths: vec!["/srv".into()],
            exclude: vec![],
            jump: None,
        }),
    };
    sources::insert(conn, tenant, &id, &fields).await.expect("a source");
    id
}

/// The end of a job that has nothing to show.
pub fn done() -> Finished {
    Finished {
        partial: false,
        snapshot_id: None,
        result: serde_json::json!({}),
        warnings: Warnings::default(),
        progress: Progress::default(),
        message: "Done".into(),
    }
}

/// A worker that has said that it is there.
pub async fn worker(conn: &mut PgConnection) -> WorkerId {
    let id = WorkerId::generate();
    workers::heartbeat(conn, &beat(id.clone())).await.expect("a worker");
    id
}

/// A sign of life.
pub fn beat(id: WorkerId) -> workers::Heartbeat {
    workers::Heartbeat {
        id,
        hostname: "host".into(),
        version: "0".into(),
        url: "http://127.0.0.1:1/".into(),
        internal_url: None,
        concurrency: 4,
        running: 0,
        storage: None,
        paused_reason: None,
        stopping: false,
    }
}

/// A backup of a fresh source, in the queue.
pub async fn backup(conn: &mut PgConnection, tenant: &TenantId) -> Job {
    let source = source(conn, tenant).await;
    enqueue(conn, &queue::orders::backup(tenant.clone(), source)).await
}

/// Orders a job.
pub async fn enqueue(conn: &mut PgConnection, new: &NewJob) -> Job {
    queue::enqueue(conn, new).await.expect("the job is ordered")
}
