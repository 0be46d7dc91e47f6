//! The only SQL, a file per table. Functions take a connection, so the caller owns the transaction.
//!
//! Knows the domain's types and the schema, and nothing of HTTP, apalis, storage or connectors.
//! Every query about something that belongs to a tenant names the tenant.

use std::time::Duration;

use sqlx::postgres::PgPool;

pub mod age_keys;
pub mod api_keys;
pub mod audit_log;
mod connect;
mod create;
pub mod exports;
pub mod gauges;
pub mod holdings;
pub mod hubs;
pub mod idempotency_keys;
pub mod ids;
pub mod invitations;
pub mod job_credentials;
pub mod job_events;
pub mod jobs;
mod kept;
pub mod limits;
pub mod master_key;
pub mod memberships;
pub mod notices;
pub mod recovery;
pub mod retirement;
pub mod roles;
pub mod schema;
pub mod sessions;
pub mod snapshots;
pub mod source_credentials;
pub mod sources;
pub mod tenant_keys;
pub mod tenants;
pub mod tickets;
mod unsigned;
pub mod users;
pub mod worker_tokens;
pub mod workers;

pub use connect::{Silences, answered, pool, ticket_pool, while_busy};
pub use create::create_database;
pub use kept::Kept;
pub use notices::{Notifier, Transaction};

/// A connection on loan from the pool.
pub type Connection = sqlx::pool::PoolConnection<sqlx::Postgres>;

/// What went wrong between us and the database.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The server refused, was away, or answered with an error.
    #[error("database: {0}")]
    Sqlx(#[from] sqlx::Error),
    /// The server said nothing for this long: the connection is broken, and nobody was told.
    #[error("database: no answer within {0:?}")]
    Silent(Duration),
    /// The schema could not be brought up to date.
    #[error("database migration: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// This version must not work on the database's schema.
    #[error("{0}")]
    Schema(schema::SchemaFit),
    /// The roles of workers could not be set up.
    #[error("database roles: {0}")]
    Role(String),
    /// The address of the database cannot be read.
    #[error("XVAULT_DATABASE_URL: {0}; example: postgres://xvault:secret@db.example.com/xvault")]
    Url(sqlx::Error),
}

impl DbError {
    /// Name of the constraint a statement ran into, if that is what happened.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Sqlx(sqlx::Error::Database(error)) => error.constraint(),
            _ => None,
        }
    }

    /// True if the server does not accept our name and password.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Sqlx(sqlx::Error::Database(error)) => error.code().is_some_and(|code| code.starts_with("28")),
            _ => false,
        }
    }

    /// True if the database may be fine again in a moment: it is away, restarting or out of
    /// connections. The same statement may then be tried again.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Sqlx(error) => is_away(error),
            Self::Silent(_) => true,
            Self::Migrate(error) => is_broken_off(error),
            Self::Schema(_) | Self::Role(_) | Self::Url(_) => false,
        }
    }

    /// True if the schema is not there yet: a process of ours that may change it has not started.
    pub fn is_unprepared(&self) -> bool {
        match self {
            // undefined table or schema, insufficient privilege, unknown database or role
            Self::Sqlx(sqlx::Error::Database(error)) => error
                .code()
                .is_some_and(|code| matches!(code.as_ref(), "42P01" | "3F000" | "42501" | "3D000" | "28000" | "28P01")),
            _ => false,
        }
    }
}

/// See [`DbError::is_away`].
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // 08 connection exception, 53 out of resources, 57P operator intervention (restart),
            // 40 serialization failure and deadlock
            code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") || code.starts_with("40")
        }),
        sqlx::Error::Migrate(error) => is_broken_off(error),
        error => matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::WorkerCrashed
        ),
    }
}

/// True if a migration ended because its connection did: the statements and the rights were right when they were tried.
fn is_broken_off(error: &sqlx::migrate::MigrateError) -> bool {
    match error {
        sqlx::migrate::MigrateError::Execute(error) | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => {
            is_away(error)
        }
        _ => false,
    }
}

/// One page of a list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// At most this many rows (1–200).
    pub limit: i64,
    /// Only rows after this one: the last id of the page before.
    pub after: Option<String>,
}

impl Page {
    /// Page size when the client names none.
    pub const DEFAULT_LIMIT: i64 = 50;
    /// Largest page.
    pub const MAX_LIMIT: i64 = 200;

    /// The first page of `limit` rows.
    pub fn first(limit: i64) -> Self {
        Self { limit, after: None }
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::first(Self::DEFAULT_LIMIT)
    }
}

/// Brings the schema up to date. Safe to run from several processes at once: a database lock lets
/// one do the work while the others wait. A schema that a newer version has added to is left alone, and
/// so are the rights of workers then: the answer is false. (The queue's tables are `queue::setup`, the
/// worker's grants `db::roles`.)
pub async fn migrate(pool: &PgPool) -> Result<bool, DbError> {
    let mut conn = pool.acquire().await?;
    match schema::fit(&mut conn).await {
        Ok(schema::SchemaFit::Newer) => return Ok(false),
        Ok(fit @ schema::SchemaFit::TooNew { .. }) => return Err(DbError::Schema(fit)),
        Ok(schema::SchemaFit::Fits | schema::SchemaFit::TooOld { .. }) => {}
        // An empty database.
        Err(error) if error.is_unprepared() => {}
        Err(error) => return Err(error),
    }
    drop(conn);
    schema::MIGRATIONS.run(pool).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_whose_connection_broke_may_be_tried_again() {
        let broken = || sqlx::Error::Protocol("expected to read 5 bytes, got 0 bytes at EOF".into());
        let away = [
            DbError::Migrate(sqlx::migrate::MigrateError::Execute(broken())),
            // As the queue's own migrations tell it.
            sqlx::Error::Migrate(Box::new(sqlx::migrate::MigrateError::ExecuteMigration(broken(), 3))).into(),
        ];
        assert!(away.iter().all(DbError::is_away));
        let wrong = sqlx::migrate::MigrateError::VersionMismatch(3);
        assert!(!DbError::Migrate(wrong).is_away());
    }
}
