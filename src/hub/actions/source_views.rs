//! Rows of sources into views.

use sqlx::PgConnection;

use super::{ActionError, Actor, List};
use crate::{
    db::{
        source_credentials::{self, CredentialFacts},
        sources::Source,
    },
    domain::ids::SourceId,
    hub::views::{CredentialView, IdentityView, SourceView},
};

pub(super) async fn one(conn: &mut PgConnection, actor: &Actor, source: Source) -> Result<SourceView, ActionError> {
    let facts = source_credentials::facts(conn, &actor.tenant_id, std::slice::from_ref(&source.id)).await?;
    Ok(view(source, &facts))
}

pub(super) async fn page(
    conn: &mut PgConnection,
    actor: &Actor,
    list: List<Source>,
) -> Result<List<SourceView>, ActionError> {
    let ids: Vec<SourceId> = list.items.iter().map(|source| source.id.clone()).collect();
    let facts = source_credentials::facts(conn, &actor.tenant_id, &ids).await?;
    Ok(list.map(|source| view(source, &facts)))
}

fn view(source: Source, facts: &[CredentialFacts]) -> SourceView {
    let credentials = facts
        .iter()
        .filter(|fact| fact.source_id == source.id)
        .map(|fact| CredentialView {
            field: fact.field.clone(),
            fingerprint: fact.fingerprint.clone(),
            set_at: fact.set_at,
        });
    SourceView {
        credentials: credentials.collect(),
        id: source.id,
        name: source.name,
        kind: source.config.kind(),
        config: source.config,
        identity: IdentityView {
            pinned: source.identity,
            approved_by: source.identity_approved_by,
            approved_at: source.identity_approved_at,
        },
        created_at: source.created_at,
        updated_at: source.updated_at,
        deleted_at: source.deleted_at,
    }
}
