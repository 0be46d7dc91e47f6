//! What the catalogue says about a snapshot found on a disk.

use sqlx::PgConnection;

use crate::{
    db::DbError,
    domain::{
        ids::{JobId, SnapshotId, SourceId, TenantId, WorkerId},
        job::JobState,
        snapshot::SnapshotKey,
    },
};

/// What stands behind a snapshot on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The catalogue has it.
    Known,
    /// The catalogue has lost it, and how that shows: it is an older copy, or rows were lost.
    Lost(String),
    /// Nothing: an attempt that could not report left it, or it was removed and has come back. Says which.
    Orphan(String),
}

/// Those of `ids` that the catalogue has, with their whole keys. Across tenants, because a disk is.
pub async fn known_of(conn: &mut PgConnection, ids: &[SnapshotId]) -> Result<Vec<SnapshotKey>, DbError> {
    let rows = sqlx::query_as("select tenant_id, source_id, id from snapshots where id = any($1)")
        .bind(ids)
        .fetch_all(conn)
        .await?;
    Ok(keys(rows))
}

/// Up to `limit` snapshots that lie on a worker's disk as far as the catalogue knows, whatever else it knows of them: also
/// those that are missing or being removed.
pub async fn some_on_worker(
    conn: &mut PgConnection,
    worker_id: &WorkerId,
    limit: i64,
) -> Result<Vec<SnapshotKey>, DbError> {
    let rows =
        sqlx::query_as("select tenant_id, source_id, id from snapshots where worker_id = $1 order by id limit $2")
            .bind(worker_id)
            .bind(limit)
            .fetch_all(conn)
            .await?;
    Ok(keys(rows))
}

fn keys(rows: Vec<(TenantId, SourceId, SnapshotId)>) -> Vec<SnapshotKey> {
    let key = |(tenant_id, source_id, snapshot_id)| SnapshotKey {
        tenant_id,
        source_id,
        snapshot_id,
    };
    rows.into_iter().map(key).collect()
}

/// What stands behind the snapshot that `job_id` made.
pub async fn standing(conn: &mut PgConnection, key: &SnapshotKey, job_id: &JobId) -> Result<Standing, DbError> {
    let (known, removed, state, made): (bool, bool, Option<JobState>, Option<SnapshotId>) = sqlx::query_as(
        "select exists (select from snapshots where tenant_id = $1 and id = $2), \
                exists (select from jobs where snapshot_id = $2 and tenant_id = $1 and kind = 'delete' \
                        and state = 'succeeded'), \
                j.state, j.snapshot_id \
         from (select) as one left join jobs j on j.tenant_id = $1 and j.id = $3",
    )
    .bind(&key.tenant_id)
    .bind(&key.snapshot_id)
    .bind(job_id)
    .fetch_one(conn)
    .await?;
    Ok(match (known, removed, state, made) {
        (true, ..) => Standing::Known,
        (_, true, ..) => Standing::Orphan("it was deleted and has come back".to_owned()),
        (_, _, None, _) => Standing::Lost(format!("its job {job_id} is not in the catalogue either")),
        (_, _, Some(_), Some(made)) if made == key.snapshot_id => {
            Standing::Lost(format!("its job {job_id} is in the catalogue and names it"))
        }
        (_, _, Some(state), _) => Standing::Orphan(format!(
            "an attempt at job {job_id} stored it and did not report; the job is {state}"
        )),
    })
}
