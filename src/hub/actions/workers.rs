//! Workers, for the platform's administrator, and the tokens they show.

use secrecy::SecretString;
use sqlx::PgConnection;

use super::{ActionError, Actor, List, ListQuery};
use crate::{
    crypto::tokens,
    db::{
        Page,
        audit_log::{self, Deed},
        worker_tokens, workers,
    },
    domain::{
        ids::WorkerId,
        worker::{Worker, WorkerState},
    },
    hub::{Hub, views::WorkerView},
};

/// Every worker ever seen.
pub async fn list(hub: &Hub, actor: &Actor, query: &ListQuery) -> Result<List<WorkerView>, ActionError> {
    actor.require_platform_admin()?;
    let page = query.page::<WorkerId>()?;
    let rows = workers::list(&mut *hub.connection().await?, &page).await?;
    let now = hub.clock.now();
    Ok(List::cut(rows, query, |worker| worker.id.as_str()).map(|worker| WorkerView::new(worker, now)))
}

/// True if a worker is there to run jobs. Everybody may know: without one, nothing moves.
pub async fn any_online(hub: &Hub) -> Result<bool, ActionError> {
    let now = hub.clock.now();
    let known = workers::list(&mut *hub.connection().await?, &Page::first(Page::MAX_LIMIT)).await?;
    let online = |worker: &Worker| !matches!(worker.state(now), WorkerState::Away | WorkerState::Stopped);
    Ok(known.iter().any(online))
}

/// Makes a token for workers, for the operator at the command line; shown once.
pub async fn create_token(conn: &mut PgConnection, label: &str) -> Result<SecretString, ActionError> {
    let token = tokens::generate("xvw_");
    worker_tokens::insert(conn, label, &tokens::hash(&token)).await?;
    audit_log::record(conn, &by_operator("worker_token.create", label)).await?;
    Ok(token)
}

/// Ends every token with this label; says how many there were.
pub async fn revoke_tokens(conn: &mut PgConnection, label: &str) -> Result<u64, ActionError> {
    let ended = worker_tokens::revoke(conn, label).await?;
    audit_log::record(conn, &by_operator("worker_token.revoke", label)).await?;
    Ok(ended)
}

fn by_operator<'a>(action: &'a str, target: &'a str) -> Deed<'a> {
    Deed {
        tenant_id: None,
        actor: "operator",
        action,
        target: Some(target),
    }
}
