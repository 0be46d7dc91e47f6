//! Sources: what is backed up. A deleted source keeps its row, because its snapshots stay.

use chrono::{DateTime, Utc};
use serde::de::DeserializeSeed;
use sqlx::{FromRow, PgConnection, Row, postgres::PgRow, types::Json};

use super::{DbError, Page};
use crate::domain::{
    ids::{SourceId, TenantId, UserId},
    source::{PinnedIdentity, SourceConfig, SourceKind},
};

/// The index that two sources of one name run into.
pub const NAME_UNIQUE: &str = "sources_name_unique";

/// A source.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// Its name.
    pub name: String,
    /// Where and what; its kind decides how it is read.
    pub config: SourceConfig,
    /// The approved identities.
    pub identity: PinnedIdentity,
    /// Who approved last.
    pub identity_approved_by: Option<UserId>,
    /// When.
    pub identity_approved_at: Option<DateTime<Utc>>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was deleted.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// What of a source its user decides.
#[derive(Debug, Clone)]
pub struct SourceFields {
    /// Its name.
    pub name: String,
    /// Where and what; its kind decides how it is read.
    pub config: SourceConfig,
}

/// Adds a source.
pub async fn insert(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    id: &SourceId,
    fields: &SourceFields,
) -> Result<Source, DbError> {
    Ok(sqlx::query_as(
        "insert into sources (id, tenant_id, name, kind, config) values ($1, $2, $3, $4, $5) returning *",
    )
    .bind(id)
    .bind(tenant_id)
    .bind(&fields.name)
    .bind(fields.config.kind())
    .bind(Json(&fields.config))
    .fetch_one(conn)
    .await?)
}

/// One source of a tenant, deleted or not.
pub async fn get(conn: &mut PgConnection, tenant_id: &TenantId, id: &SourceId) -> Result<Option<Source>, DbError> {
    Ok(sqlx::query_as("select * from sources where tenant_id = $1 and id = $2")
        .bind(tenant_id)
        .bind(id)
        .fetch_optional(conn)
        .await?)
}

/// One source of a tenant, locked until the transaction ends. Rows that point to it may still be written: a report that adds a
/// snapshot would otherwise wait for an order that waits for that report.
pub async fn lock(conn: &mut PgConnection, tenant_id: &TenantId, id: &SourceId) -> Result<Option<Source>, DbError> {
    Ok(
        sqlx::query_as("select * from sources where tenant_id = $1 and id = $2 for no key update")
            .bind(tenant_id)
            .bind(id)
            .fetch_optional(conn)
            .await?,
    )
}

/// Sources of a tenant that are not deleted, newest first.
pub async fn list(conn: &mut PgConnection, tenant_id: &TenantId, page: &Page) -> Result<Vec<Source>, DbError> {
    Ok(sqlx::query_as(
        "select * from sources where tenant_id = $1 and deleted_at is null and ($2::text is null or id < $2) \
         order by id desc limit $3",
    )
    .bind(tenant_id)
    .bind(&page.after)
    .bind(page.limit)
    .fetch_all(conn)
    .await?)
}

/// Names of some sources of a tenant, deleted ones included.
pub async fn names(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    ids: &[SourceId],
) -> Result<Vec<(SourceId, String)>, DbError> {
    Ok(
        sqlx::query_as("select id, name from sources where tenant_id = $1 and id = any($2)")
            .bind(tenant_id)
            .bind(ids)
            .fetch_all(conn)
            .await?,
    )
}

/// Changes what the user decides, and the pinned identity with it.
pub async fn update(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    id: &SourceId,
    fields: &SourceFields,
    identity: &PinnedIdentity,
) -> Result<Source, DbError> {
    Ok(sqlx::query_as(
        "update sources set name = $3, kind = $4, config = $5, identity = $6, updated_at = now() \
         where tenant_id = $1 and id = $2 returning *",
    )
    .bind(tenant_id)
    .bind(id)
    .bind(&fields.name)
    .bind(fields.config.kind())
    .bind(Json(&fields.config))
    .bind(Json(identity))
    .fetch_one(conn)
    .await?)
}

/// Pins identities that somebody approved.
pub async fn approve(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    id: &SourceId,
    identity: &PinnedIdentity,
    by: &UserId,
    at: DateTime<Utc>,
) -> Result<Source, DbError> {
    Ok(sqlx::query_as(
        "update sources set identity = $3, identity_approved_by = $4, identity_approved_at = $5, updated_at = now() \
         where tenant_id = $1 and id = $2 returning *",
    )
    .bind(tenant_id)
    .bind(id)
    .bind(Json(identity))
    .bind(by)
    .bind(at)
    .fetch_one(conn)
    .await?)
}

/// Marks a source deleted and removes its credentials for good.
pub async fn delete(
    conn: &mut PgConnection,
    tenant_id: &TenantId,
    id: &SourceId,
    at: DateTime<Utc>,
) -> Result<(), DbError> {
    sqlx::query("delete from source_credentials where tenant_id = $1 and source_id = $2")
        .bind(tenant_id)
        .bind(id)
        .execute(&mut *conn)
        .await?;
    sqlx::query("update sources set deleted_at = $3, updated_at = now() where tenant_id = $1 and id = $2")
        .bind(tenant_id)
        .bind(id)
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
}

impl FromRow<'_, PgRow> for Source {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            config: config(row)?,
            identity: row.try_get::<Json<_>, _>("identity")?.0,
            identity_approved_by: row.try_get("identity_approved_by")?,
            identity_approved_at: row.try_get("identity_approved_at")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            deleted_at: row.try_get("deleted_at")?,
        })
    }
}

fn config(row: &PgRow) -> Result<SourceConfig, sqlx::Error> {
    let kind: SourceKind = row.try_get("kind")?;
    let fields: Json<serde_json::Value> = row.try_get("config")?;
    kind.deserialize(fields.0)
        .map_err(|error| sqlx::Error::Decode(error.into()))
}
