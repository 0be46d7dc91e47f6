//! Orders: a [`NewJob`] of each kind, routed to the right queue. The caller may still change its
//! priority, time and author before it hands it to [`super::enqueue`].

use super::route;
use crate::{
    db::jobs::NewJob,
    domain::{
        ids::{ExportId, JobId, SourceId, TenantId},
        job::{ExportFormat, JobKind, JobPayload, VerifyLevel},
        server_restore::ServerRestore,
        snapshot::Snapshot,
    },
};

/// Priority of what a person waits for.
pub const INTERACTIVE: i16 = 0;

/// Priority of what a schedule ordered.
pub const SCHEDULED: i16 = 10;

/// Attempts of a job whose causes of failure may pass.
const ATTEMPTS: i32 = 3;

/// Captures a source.
pub fn backup(tenant_id: TenantId, source_id: SourceId) -> NewJob {
    on_source(
        tenant_id,
        source_id,
        JobKind::Backup,
        JobPayload::Backup { v: 1 },
        ATTEMPTS,
    )
}

/// Looks at a source. One attempt: a person waits for the answer, and "refused" is an answer.
pub fn probe(tenant_id: TenantId, source_id: SourceId) -> NewJob {
    on_source(tenant_id, source_id, JobKind::Probe, JobPayload::Probe { v: 1 }, 1)
}

/// Makes an export of `paths` of a snapshot, or of all of it if there are none.
pub fn restore(snapshot: &Snapshot, export_id: ExportId, format: ExportFormat, paths: Vec<String>) -> NewJob {
    let payload = JobPayload::Restore {
        v: 1,
        export_id,
        format,
        paths,
    };
    on_snapshot(snapshot, JobKind::Restore, payload)
}

/// Writes (parts of) a snapshot to a server.
pub fn restore_to_server(snapshot: &Snapshot, order: ServerRestore) -> NewJob {
    let target_source_id = Some(order.target_source_id.clone());
    let payload = JobPayload::RestoreToServer { v: 1, order };
    NewJob {
        target_source_id,
        ..on_snapshot(snapshot, JobKind::Restore, payload)
    }
}

/// Re-reads a snapshot.
pub fn verify(snapshot: &Snapshot, level: VerifyLevel) -> NewJob {
    on_snapshot(snapshot, JobKind::Verify, JobPayload::Verify { v: 1, level })
}

/// Removes a snapshot.
pub fn delete(snapshot: &Snapshot) -> NewJob {
    on_snapshot(snapshot, JobKind::Delete, JobPayload::Delete { v: 1 })
}

fn on_source(
    tenant_id: TenantId,
    source_id: SourceId,
    kind: JobKind,
    payload: JobPayload,
    max_attempts: i32,
) -> NewJob {
    NewJob {
        id: JobId::generate(),
        tenant_id,
        kind,
        queue: route::WORK.to_owned(),
        source_id,
        target_source_id: None,
        snapshot_id: None,
        payload,
        priority: INTERACTIVE,
        max_attempts,
        run_at: None,
        created_by: None,
    }
}

fn on_snapshot(snapshot: &Snapshot, kind: JobKind, payload: JobPayload) -> NewJob {
    let key = &snapshot.new.key;
    NewJob {
        queue: route::of_snapshot(&snapshot.new.locator),
        snapshot_id: Some(key.snapshot_id.clone()),
        ..on_source(key.tenant_id.clone(), key.source_id.clone(), kind, payload, ATTEMPTS)
    }
}
