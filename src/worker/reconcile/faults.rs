//! From the catalogue to the disk: snapshots whose files are gone or are not what was stored are marked, with
//! the reason, and get their state back when the files do.

use std::sync::Arc;

use super::{BATCH, ReconcileError, reread::Rereads};
use crate::{
    artifact::{self, Expected, Stored},
    db::{
        self,
        snapshots::{self, OnDisk, Verdict},
    },
    domain::{error_code::ErrorCode, ids::SnapshotId, job::JobError, snapshot::SnapshotState},
    storage::Storage,
    worker::node::Node,
};

/// Looks at every snapshot that the catalogue has on this disk.
pub async fn judge_all(node: &Arc<Node>, rereads: &mut Rereads) -> Result<(), ReconcileError> {
    let mut after: Option<SnapshotId> = None;
    loop {
        let listed = async {
            let mut conn = node.pool.acquire().await?;
            snapshots::on_worker(&mut conn, &node.id, after.as_ref(), BATCH as i64).await
        };
        let batch = db::answered(listed).await?;
        let Some(last) = batch.last() else {
            return Ok(());
        };
        after = Some(last.key.snapshot_id.clone());
        let (unreadable, batch): (Vec<_>, Vec<_>) = batch.into_iter().partition(|row| row.unreadable);
        let storage = node.storage.clone();
        let changes = tokio::task::spawn_blocking(move || {
            let changed = |row: OnDisk| Some((changed(&row, look(storage.as_ref(), &row))?, row));
            batch.into_iter().filter_map(changed).collect::<Vec<_>>()
        })
        .await?;
        for (verdict, row) in changes {
            judge(node, &row, &verdict).await?;
        }
        for row in unreadable {
            look_again(node, row, rereads).await?;
        }
    }
}

/// Looks at a snapshot that the disk failed to give, and reads all of it if it is time.
async fn look_again(node: &Arc<Node>, row: OnDisk, rereads: &mut Rereads) -> Result<(), ReconcileError> {
    let (storage, reread) = (node.storage.clone(), rereads.due(&row.key.snapshot_id));
    let (row, seen, done) = tokio::task::spawn_blocking(move || {
        let seen = look(storage.as_ref(), &row);
        let (Ok(state), Some(reread)) = (&seen, reread) else {
            // Whether all of it can be read is not known before it is tried.
            return (row, seen.map(|_| SnapshotState::Damaged), None);
        };
        let files = Stored {
            storage: storage.as_ref(),
            key: &row.key,
        };
        let (read, done) = reread.read(&files, &expected(&row));
        let seen = read.map(|()| *state);
        (row, seen, Some(done))
    })
    .await?;
    if let Some(done) = done {
        rereads.done(done);
    }
    match changed_unreadable(&row, seen) {
        Some(verdict) => judge(node, &row, &verdict).await,
        None => Ok(()),
    }
}

async fn judge(node: &Node, row: &OnDisk, verdict: &Verdict) -> Result<(), ReconcileError> {
    let written = async { snapshots::judge(&mut *node.pool.acquire().await?, &row.key, row.state, verdict).await };
    if db::answered(written).await? {
        tracing::warn!(
            tenant = %row.key.tenant_id, snapshot = %row.key.snapshot_id, was = %row.state, is = %verdict.state,
            fault = verdict.fault, "the files of a snapshot have changed"
        );
    }
    Ok(())
}

fn expected(row: &OnDisk) -> Expected {
    Expected {
        sha256: row.sha256.clone(),
        manifest_sha256: row.manifest_sha256.clone(),
    }
}

/// `complete` or `partial`, as it was when the snapshot was made, if all is as it was.
fn look(storage: &dyn Storage, row: &OnDisk) -> Result<SnapshotState, JobError> {
    let files = Stored { storage, key: &row.key };
    artifact::look(&files, Some(&expected(row))).map(|manifest| manifest.state)
}

/// What there is to write about a snapshot; `None` if nothing has changed, or if the disk has trouble of
/// another kind, which is no reason to say that the snapshot is gone.
fn changed(row: &OnDisk, seen: Result<SnapshotState, JobError>) -> Option<Verdict> {
    let verdict = match seen {
        Err(error) if error.code == ErrorCode::SnapshotMissing => Verdict {
            state: SnapshotState::Missing,
            fault: Some(error.message),
        },
        Err(error) if error.code == ErrorCode::SnapshotDamaged => Verdict {
            state: SnapshotState::Damaged,
            fault: Some(error.message),
        },
        Err(error) => {
            tracing::warn!(snapshot = %row.key.snapshot_id, %error, "cannot look at the files of a snapshot");
            return None;
        }
        // A glance does not acquit what a thorough look has found.
        Ok(_) if row.fault_in_content => Verdict {
            state: SnapshotState::Damaged,
            fault: Some("its content was found damaged before its files went missing; verify it".to_owned()),
        },
        Ok(state) => Verdict { state, fault: None },
    };
    (verdict.state != row.state).then_some(verdict)
}

/// As [`changed`], of a snapshot whose bytes the disk failed to give; `Ok(Damaged)` says that it was not tried again.
fn changed_unreadable(row: &OnDisk, seen: Result<SnapshotState, JobError>) -> Option<Verdict> {
    match seen {
        // Every byte was read and has its hash: it is as it was stored.
        Ok(state @ (SnapshotState::Complete | SnapshotState::Partial)) => Some(Verdict { state, fault: None }),
        Err(error) if error.code == ErrorCode::SnapshotDamaged => Some(Verdict {
            state: SnapshotState::Damaged,
            fault: Some(error.message),
        }),
        seen => changed(row, seen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ids::{SourceId, TenantId},
        snapshot::SnapshotKey,
    };

    fn row(state: SnapshotState, fault_in_content: bool) -> OnDisk {
        OnDisk {
            key: SnapshotKey {
                tenant_id: TenantId::generate(),
                source_id: SourceId::generate(),
                snapshot_id: SnapshotId::generate(),
            },
            state,
            fault_in_content,
            unreadable: false,
            sha256: String::new(),
            manifest_sha256: String::new(),
        }
    }

    #[test]
    fn states_change_only_for_what_was_seen() {
        use SnapshotState::{Complete, Damaged, Missing, Partial};
        let error = |code| Err(JobError::new(code, "why", ""));
        let becomes = |from, content, seen| changed(&row(from, content), seen).map(|verdict| verdict.state);
        assert_eq!(becomes(Complete, false, Ok(Complete)), None);
        assert_eq!(becomes(Missing, false, Ok(Partial)), Some(Partial));
        assert_eq!(becomes(Damaged, false, Ok(Complete)), Some(Complete));
        assert_eq!(
            becomes(Damaged, true, Ok(Complete)),
            None,
            "only a verification acquits"
        );
        assert_eq!(becomes(Missing, true, Ok(Complete)), Some(Damaged));
        assert_eq!(
            becomes(Complete, false, error(ErrorCode::SnapshotMissing)),
            Some(Missing)
        );
        assert_eq!(
            becomes(Missing, false, error(ErrorCode::SnapshotDamaged)),
            Some(Damaged)
        );
        assert_eq!(
            becomes(Complete, false, error(ErrorCode::StorageFailed)),
            None,
            "a disk that does not answer has lost nothing yet"
        );
    }

    #[test]
    fn what_could_not_be_read_is_acquitted_by_reading_all_of_it_and_condemned_by_what_was_read() {
        use SnapshotState::{Complete, Damaged, Missing};
        let error = |code| Err(JobError::new(code, "why", ""));
        let becomes = |from, seen| {
            let row = OnDisk {
                unreadable: true,
                ..row(from, true)
            };
            changed_unreadable(&row, seen).map(|verdict| verdict.state)
        };
        assert_eq!(becomes(Damaged, Ok(Complete)), Some(Complete));
        assert_eq!(becomes(Damaged, Ok(Damaged)), None, "not tried again");
        assert_eq!(becomes(Missing, Ok(Damaged)), Some(Damaged), "back, but not read yet");
        assert_eq!(becomes(Damaged, error(ErrorCode::SnapshotUnreadable)), None);
        assert_eq!(becomes(Damaged, error(ErrorCode::SnapshotDamaged)), Some(Damaged));
        assert_eq!(becomes(Damaged, error(ErrorCode::SnapshotMissing)), Some(Missing));
    }
}
