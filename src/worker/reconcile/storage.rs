//! Is this the storage that our snapshots lie in? A disk that is not mounted, or another one, must not look
//! like the loss of everything.

use std::sync::Arc;

use super::{BATCH, ReconcileError};
use crate::{
    db::{self, snapshots, workers},
    domain::{
        ids::{StorageId, WorkerId},
        snapshot::{ArtifactFile, SnapshotKey},
    },
    storage::{Storage, local_fs::Marker},
    worker::node::Node,
};

/// What is known of the storage directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing yet: it was not compared with the catalogue.
    Unknown,
    /// It is the one our snapshots lie in.
    Ours,
    /// It is another one, and how that shows.
    Another(String),
}

/// What to do about a storage directory.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// Ours, as its marker says.
    Keep(StorageId),
    /// Ours, but it has no marker yet.
    Mark,
    /// Not ours; the reason.
    Refuse(String),
}

/// What the catalogue says about our storage, and how much of it is here.
struct Facts<'a> {
    me: &'a WorkerId,
    marker: Option<&'a Marker>,
    expected: Option<&'a StorageId>,
    /// Snapshots the catalogue has of us, as far as they were looked for.
    catalogued: usize,
    /// How many of them are here.
    found: usize,
}

/// Compares the storage's marker with the catalogue and notes what that says. A new storage gets its marker.
pub async fn establish(node: &Arc<Node>) -> Result<(), ReconcileError> {
    let asked = async {
        let mut conn = node.pool.acquire().await?;
        let expected = workers::storage_of(&mut conn, &node.id).await?;
        let known = snapshots::some_on_worker(&mut conn, &node.id, BATCH as i64).await?;
        Ok((expected, known))
    };
    let (expected, known) = db::answered(asked).await?;
    let (owner, id) = (node.clone(), expected.clone());
    let decision = tokio::task::spawn_blocking(move || {
        let storage = &owner.storage;
        let marker = storage.marker()?;
        let here = |key: &&SnapshotKey| storage.head(key, ArtifactFile::Backup).is_ok();
        Ok::<_, ReconcileError>(decide(&Facts {
            me: &owner.id,
            marker: marker.as_ref(),
            expected: id.as_ref(),
            catalogued: known.len(),
            found: match marker {
                Some(_) => 0,
                None => known.iter().filter(here).count(),
            },
        }))
    })
    .await??;
    let standing = match decision {
        Decision::Refuse(reason) => {
            let dir = node.config.storage_dir.display();
            Standing::Another(format!("{dir} looks like another storage: {reason}"))
        }
        Decision::Mark => {
            let (storage, id) = (node.storage.clone(), StorageId::generate());
            let new = id.clone();
            tokio::task::spawn_blocking(move || storage.mark(&new)).await??;
            note_storage(node, &id).await?;
            Standing::Ours
        }
        Decision::Keep(id) => {
            node.storage.expect(&id);
            note_storage(node, &id).await?;
            Standing::Ours
        }
    };
    if let Standing::Another(reason) = &standing {
        tracing::error!(reason, "this worker takes no jobs that need its storage");
    }
    node.set_storage_standing(standing);
    Ok(())
}

/// Tells the catalogue which storage is ours.
async fn note_storage(node: &Node, id: &StorageId) -> Result<(), ReconcileError> {
    let noted = async { workers::set_storage(&mut *node.pool.acquire().await?, &node.id, id).await };
    Ok(db::answered(noted).await.map(drop)?)
}

fn decide(facts: &Facts<'_>) -> Decision {
    let adopt = "if it shall be this worker's from now on, stop the worker and run `xvault recover --adopt`";
    match (facts.marker, facts.expected) {
        (Some(marker), _) if marker.worker_id != *facts.me => {
            Decision::Refuse(format!("it belongs to worker {}; {adopt}", marker.worker_id))
        }
        (Some(marker), Some(expected)) if marker.storage_id != *expected && facts.catalogued > 0 => {
            Decision::Refuse(format!(
                "it is {}, and the snapshots of this worker lie in {expected}; mount that, or {adopt}",
                marker.storage_id
            ))
        }
        (Some(marker), _) => Decision::Keep(marker.storage_id.clone()),
        // Made before there were markers.
        (None, _) if facts.found > 0 => Decision::Mark,
        // Also where nothing is to be found in it: backups must not go to where the disk is mounted later.
        (None, Some(expected)) => Decision::Refuse(format!(
            "it has no marker, and {expected} should be there. Is its disk mounted? If that is lost and this is a new \
             disk, stop the worker and run `xvault recover --adopt`"
        )),
        (None, None) if facts.catalogued == 0 => Decision::Mark,
        (None, None) => Decision::Refuse(format!(
            "none of the {} snapshots that were looked for is in it. Is its disk mounted? If they are lost and \
             this is a new disk, stop the worker and run `xvault recover --adopt`",
            facts.catalogued
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_storage_is_kept_and_only_a_new_one_marked() {
        let (me, other) = (WorkerId::generate(), WorkerId::generate());
        let (one, two) = (StorageId::generate(), StorageId::generate());
        let ours = Marker::new(one.clone(), me.clone());
        let foreign = Marker::new(one.clone(), other.clone());
        let decided = |marker, expected, catalogued, found| {
            decide(&Facts {
                me: &me,
                marker,
                expected,
                catalogued,
                found,
            })
        };
        let refused = |decision: Decision, word: &str| match decision {
            Decision::Refuse(reason) => assert!(reason.contains(word), "{reason}"),
            kept => panic!("{kept:?}"),
        };
        assert_eq!(decided(None, None, 0, 0), Decision::Mark, "a new worker");
        assert_eq!(
            decided(None, None, 9, 1),
            Decision::Mark,
            "from before there were markers"
        );
        assert_eq!(decided(Some(&ours), Some(&one), 9, 0), Decision::Keep(one.clone()));
        assert_eq!(
            decided(Some(&ours), None, 9, 0),
            Decision::Keep(one.clone()),
            "an older catalogue"
        );
        assert_eq!(
            decided(Some(&ours), Some(&two), 0, 0),
            Decision::Keep(one.clone()),
            "nothing is lost by it"
        );
        refused(decided(Some(&ours), Some(&two), 1, 0), two.as_str());
        refused(decided(Some(&foreign), Some(&one), 0, 0), other.as_str());
        assert_eq!(
            decided(None, Some(&one), 9, 1),
            Decision::Mark,
            "it only lost its marker"
        );
        for catalogued in [0, 9] {
            refused(decided(None, Some(&one), catalogued, 0), "mounted");
        }
        refused(decided(None, None, 9, 0), "mounted");
    }
}
