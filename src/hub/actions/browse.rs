//! Looking into a snapshot. The list of files is encrypted and lies with the worker; the hub sends the key of
//! that one file along with the question.

use std::time::Duration;

use super::{ActionError, Actor, file_keys, snapshots::find_kept};
use crate::{
    db::workers,
    domain::{
        brief::{BrowsePage, BrowseRequest},
        ids::SnapshotId,
        snapshot::Locator,
        worker::Worker,
    },
    hub::Hub,
};

/// How long a worker may take to list one directory.
const PATIENCE: Duration = Duration::from_secs(20);

/// Most bytes a worker's answer may have: a page of names of the greatest length, escaped.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Which directory, and which page of it.
#[derive(Debug, Clone)]
pub struct BrowseQuery {
    /// As in the entries' `path`; the root if empty.
    pub path: String,
    /// Go on after this.
    pub cursor: Option<String>,
    /// Most entries, 1 to 200.
    pub limit: i64,
}

/// One directory level of a snapshot.
pub async fn files(hub: &Hub, actor: &Actor, id: &SnapshotId, query: BrowseQuery) -> Result<BrowsePage, ActionError> {
    let limit = usize::try_from(query.limit)
        .ok()
        .filter(|limit| (1..=200).contains(limit));
    let limit = limit.ok_or_else(|| ActionError::invalid("/limit", "must be between 1 and 200"))?;
    if crate::domain::escaped::unescape(&query.path).is_none() {
        return Err(ActionError::invalid(
            "/path",
            "is not in the escaped form that this list shows",
        ));
    }
    let mut conn = hub.connection().await?;
    let snapshot = find_kept(&mut conn, actor, id).await?;
    let Locator::LocalFs { worker_id, .. } = &snapshot.new.locator;
    let worker = workers::get(&mut conn, worker_id).await?;
    let worker = worker.ok_or_else(|| ActionError::internal(format!("snapshot {id} lies with an unknown worker")))?;
    let keys = file_keys::of_headers(&mut conn, hub, &actor.tenant_id, [&snapshot.new.index_header]).await?;
    drop(conn);
    let Some([index_key]) = keys else {
        return Err(ActionError::Conflict(
            "this snapshot is encrypted to keys that xVault does not hold, so it cannot look inside".into(),
        ));
    };
    let request = BrowseRequest {
        key: snapshot.new.key.clone(),
        index_key: index_key.to_base64(),
        path: query.path,
        cursor: query.cursor,
        limit,
    };
    ask(hub, &worker, &request).await
}

async fn ask(hub: &Hub, worker: &Worker, request: &BrowseRequest) -> Result<BrowsePage, ActionError> {
    let url = format!("{}/internal/v1/browse", worker.hub_facing_url().trim_end_matches('/'));
    let answer = hub.http.post(url).timeout(PATIENCE).json(request).send().await;
    let mut answer = answer.map_err(|error| away(worker, &error))?;
    match answer.status().as_u16() {
        200 => {}
        404 => return Err(ActionError::NotFound("directory in this snapshot")),
        400 | 422 => {
            return Err(ActionError::invalid(
                "/cursor",
                "is not a cursor that this list gave out",
            ));
        }
        status => {
            let detail = format!(
                "the worker {} cannot list the snapshot's files just now",
                worker.hostname
            );
            tracing::warn!(worker = %worker.id, status, "a worker refused to list files");
            return Err(ActionError::Unavailable(detail));
        }
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| away(worker, &error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(ActionError::internal("a worker's list of files is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(ActionError::internal)
}

fn away(worker: &Worker, error: &reqwest::Error) -> ActionError {
    tracing::warn!(worker = %worker.id, %error, "a worker does not answer");
    ActionError::Unavailable(format!(
        "the files lie on the worker {} ({}), which does not answer; it was last heard of at {}",
        worker.hostname,
        worker.id,
        worker.last_seen_at.format("%Y-%m-%d %H:%M:%S UTC")
    ))
}
